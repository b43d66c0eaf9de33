#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "core/switch/context.hpp"
#include "support/in_scheduler.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <exception>
#include <execinfo.h>
#include <stdexcept>
#include <string>
#include <vector>

using coir::test::in_scheduler;

// All tests use fibers, since only the scheduler can enter a new stack.

#if defined(__x86_64__)
// bool keeps_registers(void (*suspend)(), long seed): fills the callee-saved registers with numbers derived from
// `seed`, calls `suspend`, and returns whether all of them are unchanged.
extern "C" bool coir_test_keeps_registers(void (*suspend)(), long seed);
__asm__(R"(
    .text
    .type coir_test_keeps_registers, @function
coir_test_keeps_registers:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rsi
    leaq 1(%rsi), %rbp
    leaq 2(%rsi), %rbx
    leaq 3(%rsi), %r12
    leaq 4(%rsi), %r13
    leaq 5(%rsi), %r14
    leaq 6(%rsi), %r15
    callq *%rdi
    popq %rsi
    subq %rsi, %rbp
    subq %rsi, %rbx
    subq %rsi, %r12
    subq %rsi, %r13
    subq %rsi, %r14
    subq %rsi, %r15
    xorl %eax, %eax
    cmpq $1, %rbp
    jne 1f
    cmpq $2, %rbx
    jne 1f
    cmpq $3, %r12
    jne 1f
    cmpq $4, %r13
    jne 1f
    cmpq $5, %r14
    jne 1f
    cmpq $6, %r15
    jne 1f
    incl %eax
1:  popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size coir_test_keeps_registers, .-coir_test_keeps_registers
)");

TEST_CASE("context: a switch preserves the callee-saved registers") {
    in_scheduler([] {
        std::vector<coir::fiber<bool>> fibers;
        for (long seed = 1; seed <= 3; ++seed) {
            fibers.push_back(coir::spawn([seed] {
                bool kept = true;
                for (int i = 0; i < 100; ++i) {
                    kept = coir_test_keeps_registers([] { coir::this_fiber::yield(); }, seed * 1'000'003) && kept;
                }
                return kept;
            }));
        }
        for (auto& each : fibers) CHECK(each.get());
    });
}

extern "C" const char coir_context_code_begin[];
extern "C" const char coir_context_code_end[];

namespace {

[[gnu::noinline]] std::vector<void*> frames_below(int depth) {
    if (depth > 0) {
        auto frames = frames_below(depth - 1);
        frames.shrink_to_fit();  // prevents a tail call, which would leave no frame
        return frames;
    }
    coir::this_fiber::yield();
    std::vector<void*> frames(256);
    frames.resize(static_cast<std::size_t>(::backtrace(frames.data(), 256)));
    return frames;
}

}  // namespace

TEST_CASE("context: the chain of frames ends at the entry of the fiber") {
    in_scheduler([] {
        auto deep = coir::spawn(frames_below, 20);
        const auto frames = deep.get();
        CHECK(frames.size() > 20);
        REQUIRE(frames.size() < 256);
        const auto* const last = static_cast<const char*>(frames.back());
        CHECK(last >= coir_context_code_begin);
        CHECK(last <= coir_context_code_end);
    });
}
#endif

namespace {

/// Whether the stack has the alignment that the compiler assumes; instructions with aligned operands need it.
[[gnu::noinline]] bool stack_is_aligned() {
    alignas(16) volatile char local = 0;
    const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    return frame % 16 == 0 && reinterpret_cast<std::uintptr_t>(&local) % 16 == 0;
}

}  // namespace

TEST_CASE("context: a new stack is aligned, and so is a reused one") {
    in_scheduler([] {
        for (const std::size_t bytes : {0U, 65'536U, 100'000U}) {
            std::vector<coir::fiber<bool>> fibers;
            for (int i = 0; i < 20; ++i) {
                fibers.push_back(coir::spawn({.stack_size = bytes}, [i] {
                    if (i % 2 == 0) coir::this_fiber::yield();
                    return stack_is_aligned();
                }));
            }
            for (auto& each : fibers) CHECK(each.get());
        }
    });
}

TEST_CASE("context: an exception is thrown and caught in a fiber, also across a suspension") {
    in_scheduler([] {
        const auto throws_after_yield = [](int number) {
            coir::this_fiber::yield();
            throw std::runtime_error{std::to_string(number)};
        };
        auto one = coir::spawn([&] {
            try {
                throws_after_yield(1);
            } catch (const std::runtime_error& caught) {
                return std::string{caught.what()};
            }
            return std::string{};
        });
        CHECK(one.get() == "1");
    });
}

TEST_CASE("context: fibers that suspend inside handlers each rethrow their own exception") {
    in_scheduler([] {
        const auto body = [](int number) {
            try {
                try {
                    throw number;
                } catch (...) {
                    for (int i = 0; i < number; ++i) coir::this_fiber::yield();
                    throw;
                }
            } catch (int caught) {
                return caught;
            }
            return -1;
        };
        std::vector<coir::fiber<int>> fibers;
        for (int i = 0; i < 10; ++i) fibers.push_back(coir::spawn(body, (i * 7) % 10));
        for (int i = 0; i < 10; ++i) CHECK(fibers[static_cast<std::size_t>(i)].get() == (i * 7) % 10);
    });
}

TEST_CASE("context: handlers can be nested across suspensions") {
    in_scheduler([] {
        const auto body = [](int number) {
            std::vector<int> seen;
            try {
                throw number;
            } catch (int outer) {
                coir::this_fiber::yield();
                try {
                    throw std::to_string(number + 1);
                } catch (const std::string& inner) {
                    coir::this_fiber::yield();
                    seen.push_back(std::stoi(inner));
                    try {
                        throw;
                    } catch (const std::string& again) {
                        coir::this_fiber::yield();
                        seen.push_back(std::stoi(again));
                    }
                }
                seen.push_back(outer);
                try {
                    throw;
                } catch (int again) {
                    coir::this_fiber::yield();
                    seen.push_back(again);
                }
            }
            return seen;
        };
        auto one = coir::spawn(body, 10);
        auto two = coir::spawn(body, 20);
        CHECK(one.get() == std::vector{11, 11, 10, 10});
        CHECK(two.get() == std::vector{21, 21, 20, 20});
    });
}

namespace {

struct yields_when_destroyed {
    explicit yields_when_destroyed(int& seen) : uncaught{seen} {}
    ~yields_when_destroyed() {
        coir::this_fiber::yield();
        uncaught = std::uncaught_exceptions();
        coir::this_fiber::yield();
    }
    int& uncaught;
};

}  // namespace

TEST_CASE("context: uncaught_exceptions counts those of the calling fiber") {
    in_scheduler([] {
        int seen_while_unwinding = -1;
        auto unwinds = coir::spawn([&] {
            try {
                const yields_when_destroyed local{seen_while_unwinding};
                throw 1;
            } catch (int) {
            }
            return std::uncaught_exceptions();
        });
        auto looks_on = coir::spawn([] {
            std::vector<int> seen;
            for (int i = 0; i < 4; ++i) {
                seen.push_back(std::uncaught_exceptions());
                coir::this_fiber::yield();
            }
            return seen;
        });
        CHECK(looks_on.get() == std::vector{0, 0, 0, 0});
        CHECK(unwinds.get() == 0);
        CHECK(seen_while_unwinding == 1);
    });
}

TEST_CASE("context: a fiber starts without an exception, even if its spawner or the previous fiber on its stack is "
          "handling one") {
    in_scheduler([] {
        try {
            throw std::runtime_error{"the spawner's"};
        } catch (...) {
            auto begins = coir::spawn([] {
                const bool none = std::current_exception() == nullptr && std::uncaught_exceptions() == 0;
                try {
                    throw 1;
                } catch (...) {
                    coir::this_fiber::yield();
                }
                return none;
            });
            auto after = coir::spawn([] { return std::current_exception() == nullptr; });
            CHECK(begins.get());
            CHECK(after.get());
            REQUIRE(std::current_exception() != nullptr);
            CHECK_THROWS_WITH(std::rethrow_exception(std::current_exception()), "the spawner's");
        }
        CHECK(std::current_exception() == nullptr);
    });
}

TEST_CASE("context: run does not change the exception state of the thread") {
    try {
        throw std::runtime_error{"outside"};
    } catch (const std::runtime_error&) {
        in_scheduler([] {
            CHECK(std::current_exception() == nullptr);
            CHECK_THROWS_AS(throw 1, int);
        });
        CHECK_THROWS_WITH(std::rethrow_exception(std::current_exception()), "outside");
    }
}

TEST_CASE("context: an exception unwinds many frames of a fiber and runs their destructors") {
    in_scheduler([] {
        struct counted {
            explicit counted(int& of) : count{of} { ++count; }
            ~counted() { --count; }
            int& count;
        };
        struct recursion {
            static void go(int depth, int& count) {
                const counted local{count};
                if (depth == 0) {
                    coir::this_fiber::yield();
                    throw std::logic_error{"the bottom"};
                }
                go(depth - 1, count);
            }
        };
        int alive = 0;
        CHECK_THROWS_AS(coir::spawn([&] { recursion::go(100, alive); }).get(), std::logic_error);
        CHECK(alive == 0);
    });
}
