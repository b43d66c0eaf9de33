// A program with an allocator of its own that locks a mutex, as many allocators do: a hook that allocates, or looks up a
// function, while it observes that mutex would call itself.
#include <coir/blocking.hpp>
#include <coir/run.hpp>
#include <coir/this_fiber.hpp>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <pthread.h>
#include <set>
#include <string>
#include <sys/mman.h>
#include <thread>

namespace {

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
thread_local constinit bool is_inside __attribute__((tls_model("initial-exec"))) = false;
std::atomic<int> recursions = 0;
std::atomic<bool> slow = false;  // keep the mutex for a while

constexpr std::size_t header_bytes = 16;  // holds the size
constexpr std::size_t arena_bytes = std::size_t{1} << 36;
char* arena = nullptr;
char* next = nullptr;

/// Never reuses memory: pages that are not touched cost nothing.
void* take(std::size_t bytes, std::size_t alignment) {
    if (is_inside) ++recursions;
    is_inside = true;
    ::pthread_mutex_lock(&mutex);
    if (arena == nullptr) {
        arena = static_cast<char*>(
            ::mmap(nullptr, arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        next = arena;
    }
    if (slow) {
        timespec length{0, 2'000'000};
        ::clock_nanosleep(CLOCK_MONOTONIC, 0, &length, nullptr);
    }
    const auto from = reinterpret_cast<std::size_t>(next) + header_bytes;
    char* const made = next + header_bytes + (alignment - from % alignment) % alignment;
    next = made + bytes;
    ::pthread_mutex_unlock(&mutex);
    is_inside = false;
    std::memcpy(made - header_bytes, &bytes, sizeof bytes);
    return made;
}

}  // namespace

extern "C" {
void* malloc(std::size_t bytes) { return take(bytes, header_bytes); }
void free(void*) {}
void* calloc(std::size_t count, std::size_t bytes) { return take(count * bytes, header_bytes); }
void* realloc(void* before, std::size_t bytes) {
    void* const made = take(bytes, header_bytes);
    if (before == nullptr) return made;
    std::size_t had = 0;
    std::memcpy(&had, static_cast<char*>(before) - header_bytes, sizeof had);
    return std::memcpy(made, before, had < bytes ? had : bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) { return take(bytes, alignment < 16 ? 16 : alignment); }
void* aligned_alloc(std::size_t alignment, std::size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** into, std::size_t alignment, std::size_t bytes) {
    *into = memalign(alignment, bytes);
    return 0;
}
}

int main() {
    std::set<std::string> seen;
    coir::run_options options;
    options.blocking.engine = coir::blocking_engine::hooks;
    options.blocking.on_report = [&](const coir::blocking_report& report) { seen.insert(report.call); };
    std::atomic<bool> begun = false;
    std::atomic<bool> over = false;
    std::thread other;
    coir::run(options, [&] {
        other = std::thread{[&] {
            begun = true;
            while (!over) std::free(std::malloc(1));
        }};
        while (!begun) std::this_thread::yield();
        slow = true;
        for (int i = 0; i < 50; ++i) {
            void* volatile memory = std::malloc(1);
            std::free(memory);
        }
        slow = false;
        over = true;
    });
    other.join();
    const bool good = seen.contains("pthread_mutex_lock") && recursions == 0;
    std::printf("%s: waits for the allocator's mutex are seen, and no hook allocates (%d did)\n",
                good ? "ok" : "FAILED", recursions.load());
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
