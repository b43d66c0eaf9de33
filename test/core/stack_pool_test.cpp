#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "base/sys.hpp"
#include "base/unique_fd.hpp"
#include "core/switch/stack_layout.hpp"
#include "core/switch/stack_pool.hpp"
#include "support/death.hpp"
#include "support/escape.hpp"
#include "support/in_scheduler.hpp"
#include "support/limits.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <set>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <vector>

using boost::context::stack_context;
using coir::detail::guard_kind;
using coir::detail::stack_pool;

namespace {

const std::size_t page = coir::detail::page_size();
constexpr std::size_t default_bytes = std::size_t{256} << 10;

std::byte* bottom_of(const stack_context& stack) { return static_cast<std::byte*>(stack.sp) - stack.size; }

/// Whether the byte is readable; the kernel checks it, so this does not fault.
bool is_mapped(const std::byte* at) {
    int fds[2];
    REQUIRE(::pipe(fds) == 0);
    const coir::detail::unique_fd read{fds[0]}, write{fds[1]};
    return coir::detail::sys::write(write.get(), at, 1) == 1;
}

/// Number of resident pages in the usable part.
std::size_t pages_in_memory(const stack_context& stack) {
    const auto begin = (reinterpret_cast<std::uintptr_t>(bottom_of(stack)) + page - 1) / page * page;
    const auto end = (reinterpret_cast<std::uintptr_t>(stack.sp) + page - 1) / page * page;
    std::vector<unsigned char> there((end - begin) / page);
    if (::mincore(reinterpret_cast<void*>(begin), end - begin, there.data()) != 0) return 0;  // not mapped
    return static_cast<std::size_t>(
        std::count_if(there.begin(), there.end(), [](auto each) { return (each & 1) != 0; }));
}

std::size_t mappings() {
    std::ifstream maps{"/proc/self/maps"};
    std::string line;
    std::size_t count = 0;
    while (std::getline(maps, line)) ++count;
    return count;
}

std::size_t address_space_pages() {
    std::ifstream statm{"/proc/self/statm"};
    std::size_t pages = 0;
    statm >> pages;
    return pages;
}

std::vector<stack_context> allocate(stack_pool& pool, std::size_t count, std::size_t bytes = default_bytes) {
    std::vector<stack_context> all(count);
    for (auto& each : all) each = pool.allocate(bytes);
    return all;
}

void deallocate(stack_pool& pool, std::vector<stack_context>& all) {
    for (auto& each : all) pool.deallocate(each);
}

/// Simulates idle periods until nothing is left to release.
void let_periods_pass(stack_pool& pool) {
    for (int i = 0; i < 50; ++i) {
        pool.begin_period();
        while (pool.trim(100)) {
        }
    }
}

}  // namespace

TEST_CASE("stack_pool: a stack has the requested size, guard included, and is fully writable") {
    stack_pool pool;
    for (const std::size_t bytes :
         {std::size_t{1}, 5 * page, std::size_t{65'536}, default_bytes, std::size_t{8} << 20}) {
        stack_context stack = pool.allocate(bytes);
        CHECK(stack.size <= stack_pool::round_up(bytes));
        CHECK(stack.size >= stack_pool::round_up(bytes) / 2);
        std::memset(bottom_of(stack), 0x5a, stack.size);
        CHECK(reinterpret_cast<std::uintptr_t>(stack.sp) % 16 == 0);
        pool.deallocate(stack);
    }
}

TEST_CASE("stack_pool: stacks of all sizes do not overlap") {
    stack_pool pool;
    std::vector<stack_context> all;
    for (const std::size_t bytes : {std::size_t{1}, 5 * page, default_bytes}) {
        for (auto& each : allocate(pool, 40, bytes)) all.push_back(each);
    }
    std::sort(all.begin(), all.end(), [](auto& one, auto& other) { return one.sp < other.sp; });
    for (std::size_t i = 1; i < all.size(); ++i) CHECK(all[i - 1].sp < bottom_of(all[i]));
    deallocate(pool, all);
}

TEST_CASE("stack_pool: the pages below a stack are a guard of 64 KiB or a quarter of the stack") {
    stack_pool pool;
    for (const std::size_t bytes : {4 * page, 16 * page, default_bytes, std::size_t{8} << 20}) {
        stack_context stack = pool.allocate(bytes);
        const std::size_t guard = coir::detail::stack_layout::of(bytes, page).guard;
        const std::byte* const bottom = bottom_of(stack);
        CHECK(is_mapped(bottom));
        CHECK_FALSE(is_mapped(bottom - 1));
        for (std::size_t below = page; below <= guard; below += page) CHECK_FALSE(is_mapped(bottom - below));
        pool.deallocate(stack);
    }
}

TEST_CASE("stack_pool: guards still exist after a stack was released and reused") {
    stack_pool pool;
    auto all = allocate(pool, 300);
    deallocate(pool, all);
    let_periods_pass(pool);
    all = allocate(pool, 300);
    for (const auto& each : all) {
        CHECK(is_mapped(bottom_of(each)));
        CHECK_FALSE(is_mapped(bottom_of(each) - 1));
    }
    deallocate(pool, all);
}

TEST_CASE("stack_pool: the tops of stacks map to different cache sets") {
    stack_pool pool;
    auto all = allocate(pool, 16);
    std::set<std::uintptr_t> offsets;
    for (const auto& each : all) offsets.insert(reinterpret_cast<std::uintptr_t>(each.sp) % page);
    CHECK(offsets.size() == 16);
    deallocate(pool, all);
}

TEST_CASE("stack_pool: counts stacks in use and warm stacks") {
    stack_pool pool;
    CHECK(pool.in_use() == 0);
    auto all = allocate(pool, 3);
    CHECK(pool.in_use() == 3);
    CHECK(pool.pooled() == 0);
    pool.deallocate(all[1]);
    CHECK(pool.in_use() == 2);
    CHECK(pool.pooled() == 1);
    CHECK(all[1].sp == nullptr);
    all[1] = pool.allocate(default_bytes);
    CHECK(pool.pooled() == 0);
    deallocate(pool, all);
    CHECK(pool.in_use() == 0);
    CHECK(pool.pooled() == 3);
}

TEST_CASE("stack_pool: the last returned stack is reused first, and only for its own size") {
    stack_pool pool;
    auto all = allocate(pool, 3);
    void* const last = all[2].sp;
    deallocate(pool, all);
    stack_context other = pool.allocate(default_bytes / 2);
    CHECK(other.sp != last);
    stack_context same = pool.allocate(default_bytes);
    CHECK(same.sp == last);
    pool.deallocate(other);
    pool.deallocate(same);
}

TEST_CASE("stack_pool: a returned stack keeps its content until it is reused") {
    stack_pool pool;
    stack_context stack = pool.allocate(default_bytes);
    auto* const word = reinterpret_cast<std::uint64_t*>(bottom_of(stack));
    *word = 42;
    pool.deallocate(stack);
    CHECK(*word == 42);
}

TEST_CASE("stack_pool: untouched address space uses no memory") {
    stack_pool pool;
    stack_context stack = pool.allocate(std::size_t{8} << 20);
    CHECK(pages_in_memory(stack) <= 2);
    bottom_of(stack)[0] = std::byte{1};
    CHECK(pages_in_memory(stack) <= 3);
    pool.deallocate(stack);
}

TEST_CASE("stack_pool: the memory of a burst is released after it, and a few stacks stay warm") {
    constexpr std::size_t burst = 1000;
    stack_pool pool;
    const std::size_t space_before = address_space_pages();
    auto all = allocate(pool, burst);
    for (const auto& each : all) std::memset(bottom_of(each), 1, each.size);
    const auto copies = all;
    deallocate(pool, all);
    const auto in_memory = [&] {
        std::size_t pages = 0;
        for (const auto& each : copies) pages += pages_in_memory(each);
        return pages;
    };
    const std::size_t touched = in_memory();
    CHECK(touched >= burst * (default_bytes - 65'536) / page / 2);
    CHECK(pool.has_surplus());

    let_periods_pass(pool);
    CHECK_FALSE(pool.has_surplus());
    CHECK(pool.pooled() > 0);
    CHECK(pool.pooled() <= 64);
    CHECK(in_memory() <= pool.pooled() * default_bytes / page);

    // Slabs without a warm stack are unmapped.
    if (!coir::test::sanitized) CHECK(address_space_pages() - space_before < burst * default_bytes / page);
}

TEST_CASE("stack_pool: stacks needed in a period are not released at its end") {
    stack_pool pool;
    for (int period = 0; period < 10; ++period) {
        pool.begin_period();
        auto all = allocate(pool, 500);
        deallocate(pool, all);
        while (pool.trim(100)) {
        }
        CHECK(pool.pooled() == 500);
    }
}

TEST_CASE("stack_pool: trim releases at most the given number, and returns whether there is more") {
    stack_pool pool;
    auto all = allocate(pool, 1000);
    deallocate(pool, all);
    pool.begin_period();
    pool.begin_period();
    CHECK(pool.trim(10));
    CHECK(pool.pooled() == 990);
    int looks = 0;
    while (pool.trim(10)) ++looks;
    CHECK(looks > 10);
    CHECK(pool.pooled() < 600);
    CHECK(pool.pooled() > 400);
}

TEST_CASE("stack_pool: guards made with madvise leave a slab as one mapping") {
    stack_pool pool;
    auto first = allocate(pool, 1);
    if (stack_pool::guard() == guard_kind::madvise) {
        const std::size_t before = mappings();
        auto many = allocate(pool, 5'000, 65'536);
        CHECK(mappings() - before < 50);
        deallocate(pool, many);
    }
    deallocate(pool, first);
}

TEST_CASE("stack_pool: a destroyed pool releases all of its address space") {
    std::vector<const std::byte*> bottoms;
    {
        stack_pool pool;
        auto all = allocate(pool, 200);
        auto others = allocate(pool, 200, 65'536);
        for (const auto& each : all) bottoms.push_back(bottom_of(each));
        for (const auto& each : others) bottoms.push_back(bottom_of(each));
        deallocate(pool, all);
        deallocate(pool, others);
    }
    CHECK(std::none_of(bottoms.begin(), bottoms.end(), is_mapped));
}

TEST_CASE("stack_pool: destroying the pool with a stack in use aborts") {
    const auto how = coir::test::in_child([] {
        stack_pool pool;
        static_cast<void>(pool.allocate(default_bytes));
    });
    CHECK(how.signal == SIGABRT);
    CHECK(how.says("~stack_pool: fibers still use stacks of the pool"));
}

namespace {

[[gnu::noinline]] int recurse(int depth) {
    volatile char frame[1024];
    frame[0] = static_cast<char>(depth);
    return depth == 0 ? 0 : recurse(depth - 1) + frame[0];
}

/// A frame larger than a page that writes its far end first: without stack probes it would skip a guard of one page.
[[gnu::noinline]] void one_big_frame() {
    volatile char frame[160 << 10];
    coir::test::escape(frame);
    frame[0] = 1;
    static_cast<void>(frame[0]);
}

}  // namespace

TEST_CASE("stack_pool: a fiber that overflows its stack faults") {
    const auto how = coir::test::in_child([] { coir::run([] { coir::spawn([] { recurse(1'000'000); }).get(); }); });
    CHECK(how.died());
    if (!coir::test::sanitized) CHECK(how.signal == SIGSEGV);
}

TEST_CASE("stack_pool: a frame of many pages does not skip the guard") {
    const auto how = coir::test::in_child([] {
        coir::run([] {
            coir::spawn({.stack_size = 256 << 10}, [] {
                // Recurse down to a few pages above the guard, which is 64 KiB.
                while (true) {
                    if (coir::this_fiber::stack_remaining() < 32 * page) {
                        one_big_frame();
                        coir::test::escape(nullptr);  // prevents a tail call, which would free the frame first
                        break;
                    }
                    const auto step = coir::this_fiber::stack_remaining() - 32 * page;
                    volatile auto* const room = static_cast<volatile char*>(__builtin_alloca(step > 4096 ? 4096 : 256));
                    room[0] = 1;
                }
            }).get();
        });
    });
    CHECK(how.died());
    if (!coir::test::sanitized) CHECK(how.signal == SIGSEGV);
}

// Skipped with sanitizers: their own mappings would reach the limit first.
TEST_CASE("stack_pool: without memory for a stack, the error names the limits" * doctest::skip(coir::test::sanitized)) {
    const auto how = coir::test::in_child([] {
        stack_pool pool;
        const std::size_t bytes = address_space_pages() * page + (std::size_t{64} << 20);
        const rlimit limit{bytes, bytes};
        REQUIRE(::setrlimit(RLIMIT_AS, &limit) == 0);
        std::size_t count = 0;
        try {
            for (; count < 100'000; ++count) static_cast<void>(pool.allocate(std::size_t{1} << 20));
        } catch (const std::system_error& refused) {
            const bool right = refused.code() == std::errc::not_enough_memory && count > 10;
            std::printf("%s: %s\n", right ? "refused" : "wrong", refused.what());
            std::fflush(nullptr);
            ::_exit(0);
        }
    });
    CHECK(how.exit_code == 0);
    CHECK(how.says("refused: no memory for a fiber's stack of 1024 KiB"));
    CHECK(how.says("ulimit -v"));
    CHECK(how.says("vm.overcommit_memory"));
}

TEST_CASE("stack_pool: a pool that reached the limit continues with its existing stacks" *
          doctest::skip(coir::test::sanitized)) {
    const auto how = coir::test::in_child([] {
        stack_pool pool;
        const std::size_t bytes = address_space_pages() * page + (std::size_t{64} << 20);
        const rlimit limit{bytes, bytes};
        REQUIRE(::setrlimit(RLIMIT_AS, &limit) == 0);
        std::vector<stack_context> all;
        CHECK_THROWS_AS(for (;;) all.push_back(pool.allocate(std::size_t{1} << 20)), std::system_error);
        REQUIRE(all.size() > 10);
        for (auto& each : all) pool.deallocate(each);
        for (auto& each : all) each = pool.allocate(std::size_t{1} << 20);
        for (auto& each : all) pool.deallocate(each);
    });
    CHECK(how.exit_code == 0);
}
