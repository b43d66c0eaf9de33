// Baselines without a library: switches without a scheduler, stacks without fibers, and hand-overs between threads.

#include "contender.hpp"

#include <boost/context/detail/fcontext.hpp>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <utility>

namespace {

namespace context = boost::context::detail;

constexpr std::size_t ring_stack_bytes = 64 * 1024;

/// One member of a ring of contexts; each switches to the next one. The first member is main itself.
struct member {
    void* position = nullptr;  // the saved stack pointer or fcontext
    member* next = nullptr;
};

member* current = nullptr;
bool over = false;  // the other members end with the process

/// Adjacent stacks. Their tops are shifted by 0 to 15 cache lines; otherwise all of them would map to the same cache
/// sets.
class stacks {
public:
    explicit stacks(std::size_t count)
        : base_(static_cast<char*>(mmap(nullptr, count * ring_stack_bytes, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
        if (base_ == MAP_FAILED) std::perror("mmap"), std::exit(EXIT_FAILURE);
        madvise(base_, count * ring_stack_bytes, MADV_NOHUGEPAGE);
    }

    void* top(std::size_t i) const { return base_ + (i + 1) * ring_stack_bytes - (i % 16) * 64; }

private:
    char* base_;  // unmapped at the end of the process
};

std::unique_ptr<member[]> make_ring(std::size_t count) {
    auto ring = std::make_unique<member[]>(count);
    for (std::size_t i = 0; i < count; ++i) ring[i].next = &ring[(i + 1) % count];
    current = &ring[0];
    return ring;
}

/// Makes `switches` switches in a ring of `count`. All members advance together, so timing main alone is enough.
template <void (*outer)()> void time_ring(long count, long switches) {
    const long rounds = switches / count + 1;
    bench::take_turns<outer>(rounds / 10 + 2, over);
    const double start = bench::cpu_seconds();
    bench::take_turns<outer>(rounds, over);
    bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(rounds * count));
}

extern "C" void balanced_switch(void** save, void* load);

[[gnu::noinline]] void balanced_yield() {
    member* self = current;
    current = self->next;
    balanced_switch(&self->position, current->position);
}

[[gnu::noinline]] void balanced_outer() {
    balanced_yield();
    bench::keep_frame();
}

void balanced_member() { bench::take_turns<balanced_outer>(bench::forever, over); }

void yield_balanced(bench::arguments args) {
    const auto count = static_cast<std::size_t>(args[0]);
    const auto ring = make_ring(count);
    const stacks memory{count};
    for (std::size_t i = 1; i < count; ++i) {
        // The alignment right after a call instruction: eight bytes below a multiple of sixteen.
        auto* frame = static_cast<std::uintptr_t*>(memory.top(i)) - 1;
        *--frame = reinterpret_cast<std::uintptr_t>(&balanced_member);
        frame -= 6;  // the six registers that the switch pops
        ring[i].position = frame;
    }
    time_ring<balanced_outer>(args[0], args[1]);
}

[[gnu::noinline]] void fcontext_yield() {
    member* self = current;
    current = self->next;
    const auto from = context::jump_fcontext(current->position, self);
    static_cast<member*>(from.data)->position = from.fctx;
}

[[gnu::noinline]] void fcontext_outer() {
    fcontext_yield();
    bench::keep_frame();
}

void fcontext_member(context::transfer_t from) {
    static_cast<member*>(from.data)->position = from.fctx;
    bench::take_turns<fcontext_outer>(bench::forever, over);
}

void yield_fcontext(bench::arguments args) {
    const auto count = static_cast<std::size_t>(args[0]);
    const auto ring = make_ring(count);
    const stacks memory{count};
    for (std::size_t i = 1; i < count; ++i)
        ring[i].position = context::make_fcontext(memory.top(i), ring_stack_bytes / 2, fcontext_member);
    time_ring<fcontext_outer>(args[0], args[1]);
}

void run_and_return(context::transfer_t from) {
    ++*static_cast<long*>(from.data);
    context::jump_fcontext(from.fctx, nullptr);
}

/// The minimum cost of a fiber: make a context on an existing stack, jump to it, and jump back.
void spawn(bench::arguments args) {
    const stacks memory{1};
    long ran = 0;
    const double start = bench::cpu_seconds();
    for (long i = 0; i < args[0]; ++i)
        context::jump_fcontext(context::make_fcontext(memory.top(0), ring_stack_bytes / 2, run_and_return), &ran);
    bench::report("ns", (bench::cpu_seconds() - start) * 1e9 / static_cast<double>(ran));
}

void guard(char* low, std::size_t bytes) {
    constexpr int guard_install = 102;  // MADV_GUARD_INSTALL, Linux 6.13; missing in Debian 12's headers
    static bool by_madvise = true;
    if (by_madvise && madvise(low, bytes, guard_install) == 0) return;
    by_madvise = false;
    if (mprotect(low, 4096, PROT_NONE) != 0) std::perror("mprotect"), std::exit(EXIT_FAILURE);
}

/// Maps `args[0]` stacks of `args[1]` bytes in slabs of 1,024, guards the lowest `args[2]` bytes of each and touches
/// its top page.
void map_stacks(bench::arguments args) {
    const auto count = static_cast<std::size_t>(args[0]);
    const auto stack_bytes = static_cast<std::size_t>(args[1]);
    const auto guard_bytes = static_cast<std::size_t>(args[2]);
    constexpr std::size_t slab = 1024;

    const auto start = bench::wall_clock::now();
    const double cpu_start = bench::cpu_seconds();
    for (std::size_t made = 0; made < count;) {
        const std::size_t here = std::min(slab, count - made);
        auto* base = static_cast<char*>(mmap(nullptr, here * stack_bytes, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0));
        if (base == MAP_FAILED) std::perror("mmap"), std::exit(EXIT_FAILURE);
        madvise(base, here * stack_bytes, MADV_NOHUGEPAGE);
        for (std::size_t i = 0; i < here; ++i) {
            char* low = base + i * stack_bytes;
            guard(low, guard_bytes);
            *static_cast<volatile char*>(low + stack_bytes - 8) = 1;
        }
        made += here;
    }
    bench::report("cpu", bench::cpu_seconds() - cpu_start);
    bench::report("seconds", bench::seconds_since(start));
    bench::report("bytes", bench::memory_bytes() / static_cast<double>(count));
    bench::report("mappings", bench::count_mappings());
}

/// Two threads that exchange a request and an answer; each sleeps until the other has acted.
class handover {
public:
    explicit handover(bool apart) : apart_{apart} {}
    ~handover() {
        ask(last);
        other_.join();
    }

    void round_trip() { ask(asked); }

private:
    enum state { idle, asked, last, answered };

    // Notify after unlocking, so that the thread woken on another core does not wait for the lock.
    void ask(state what) {
        set(what);
        question_.notify_one();
        std::unique_lock lock{mutex_};
        answer_.wait(lock, [this] { return state_ == answered; });
    }

    void answer() {
        if (apart_) bench::move_to_another_core();
        for (state was = idle; was != last;) {
            std::unique_lock lock{mutex_};
            question_.wait(lock, [this] { return state_ == asked || state_ == last; });
            was = std::exchange(state_, answered);
            lock.unlock();
            answer_.notify_one();
        }
    }

    void set(state to) {
        const std::lock_guard lock{mutex_};
        state_ = to;
    }

    std::mutex mutex_;
    std::condition_variable question_, answer_;
    state state_ = idle;
    bool apart_;
    std::thread other_{[this] { answer(); }};
};

/// Makes `args[0]` round trips on `args[1]` cores (one or two).
void hand_over(bench::arguments args) {
    bench::stay_on_this_core();
    handover threads{args[1] == 2};
    for (long i = 0; i < args[0] / 10; ++i) threads.round_trip();
    const auto start = bench::wall_clock::now();
    for (long i = 0; i < args[0]; ++i) threads.round_trip();
    bench::report("us", bench::seconds_since(start) * 1e6 / static_cast<double>(args[0]));
}

}  // namespace

int main(int argc, char** argv) {
    constexpr bench::scenario scenarios[] = {{"yield", yield_balanced},
                                             {"yield-fcontext", yield_fcontext},
                                             {"spawn", spawn},
                                             {"stacks", map_stacks},
                                             {"hand-over", hand_over}};
    return bench::run_scenario(argc, argv, scenarios);
}
