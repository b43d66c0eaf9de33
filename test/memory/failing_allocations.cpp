#include "memory/failing_allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <new>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

std::atomic<bool> none_left{false};
std::atomic<bool> spares_one{false};
thread_local bool is_spared = false;
constexpr long never = -1;
std::atomic<long> until_failure{never};

bool fails() noexcept {
    if (none_left.load(std::memory_order_relaxed)) return !(spares_one && is_spared);
    return until_failure.load(std::memory_order_relaxed) != never && until_failure.fetch_sub(1) == 0;
}

}  // namespace

// noinline: the compiler must not see that these call malloc(3) and free(3).
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* const memory = fails() ? nullptr : std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc{};
    return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace coir::test {

no_memory::no_memory(of threads) noexcept {
    is_spared = spares_one = threads == of::other_threads;
    none_left = true;
}

no_memory::~no_memory() {
    none_left = false;
    is_spared = spares_one = false;
}

std::string deadly_allocations(const std::function<void()>& body, long step) {
    constexpr int has_failed = 1;
    constexpr int none_has_failed = 2;
    std::string found;
    for (long number = 0;; number += step) {
        const pid_t child = ::fork();
        if (child == 0) {
            const int null = ::open("/dev/null", O_WRONLY);
            ::dup2(null, STDOUT_FILENO);
            ::dup2(null, STDERR_FILENO);
            ::alarm(20);
            until_failure = number;
            try {
                body();
            } catch (const std::exception&) {
            }
            ::_exit(until_failure.load() < 0 ? has_failed : none_has_failed);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        if (code == none_has_failed) return found;
        if (code != has_failed) found += std::to_string(number) + ' ';
    }
}

}  // namespace coir::test
