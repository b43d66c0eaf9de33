#include "sync/lock_order.hpp"

#include "base/log.hpp"
#include "base/symbols.hpp"
#include "core/scheduler.hpp"
#include "core/task/task_dump.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <unwind.h>
#include <vector>

namespace coir::detail {

namespace {

bool is_enabled() noexcept {
    const char* const value = ::secure_getenv("COIR_LOCKDEP");
    if (value != nullptr && std::string_view{value} == "0") return false;
    if (value != nullptr && std::string_view{value} == "1") return true;
#if defined(NDEBUG)
    return false;
#else
    return true;
#endif
}

// ---- call paths ----------------------------------------------------------------------------------------------------

/// Return addresses, innermost first. There are enough to get past the frames of coir and of the standard library's
/// locks to the user's code.
struct call_path {
    std::array<const void*, 16> frames{};
    std::size_t depth = 0;
};

// Uses the unwinder of the compiler's runtime: backtrace(3) loads a library at its first call.
call_path path_to_here() noexcept {
    call_path path;
    _Unwind_Backtrace(
        [](_Unwind_Context* frame, void* into) {
            call_path& so_far = *static_cast<call_path*>(into);
            const std::uintptr_t at = _Unwind_GetIP(frame);
            if (at == 0 || so_far.depth == so_far.frames.size()) return _URC_END_OF_STACK;
            so_far.frames[so_far.depth++] = reinterpret_cast<const void*>(at);
            return _URC_NO_REASON;
        },
        &path);
    return path;
}

/// Describes the innermost location in the user's code.
std::string describe(const call_path& path) {
    for (std::size_t i = 0; i < path.depth; ++i) {
        for (const symbol& each : symbolise(path.frames[i])) {
            if (!each.is_plumbing) return describe(each);
        }
    }
    return "an unknown location";
}

// ---- lock orders ---------------------------------------------------------------------------------------------------

struct held_mutex {
    const void* mutex;
    const char* kind;
    call_path taken_at;
};

/// The first observation that a fiber wanted one mutex while it held another.
struct dependency {
    std::string fiber;
    call_path held_since;
    call_path wanted_at;
    bool closes_cycle = false;  // it closed a cycle that was reported; not used to find further cycles
};

struct known_mutex {
    const char* kind;
    std::unordered_map<const void*, dependency> next;
    std::unordered_set<const void*> before;
};

/// The mutexes that the fibers of one run hold, and the orders in which mutexes were taken in that run.
class taken_orders {
public:
    explicit taken_orders(std::uint64_t of_scheduler = 0) noexcept : scheduler_{of_scheduler} {}

    [[nodiscard]] bool are_of(std::uint64_t scheduler) const noexcept { return scheduler_ == scheduler; }

    /// Records that `fiber` wants the mutex. Returns the text of a warning; empty if there is no new cycle.
    std::string want(const task& fiber, const void* mutex, const char* kind);
    void take(const task& fiber, const void* mutex, const char* kind);
    void give_back(const task& fiber, const void* mutex);
    void forget(const void* mutex);

private:
    [[nodiscard]] std::vector<const void*> shortest_path(const void* from, const void* to) const;
    [[nodiscard]] std::string cycle(const std::vector<const void*>& path) const;
    [[nodiscard]] std::string mutex_name(const void* mutex) const;
    bool remove_held(std::uint64_t fiber_id, const void* mutex);

    std::uint64_t scheduler_;
    std::unordered_map<std::uint64_t, std::vector<held_mutex>> held_;  // the key is the fiber's id
    std::unordered_map<const void*, known_mutex> known_;
};

std::string taken_orders::want(const task& fiber, const void* mutex, const char* kind) {
    const auto held = held_.find(fiber.id);
    if (held == held_.end()) return {};
    // The fiber already holds this mutex: it is recursive, or the lock function throws.
    if (std::ranges::any_of(held->second, [&](const held_mutex& each) { return each.mutex == mutex; })) return {};

    std::string warning;
    for (const held_mutex& each : held->second) {
        known_mutex& earlier = known_.try_emplace(each.mutex, known_mutex{each.kind, {}, {}}).first->second;
        const auto [at, is_new] = earlier.next.try_emplace(mutex);
        if (!is_new) continue;
        at->second = {describe_fiber(fiber), each.taken_at, path_to_here()};
        known_.try_emplace(mutex, known_mutex{kind, {}, {}}).first->second.before.insert(each.mutex);
        std::vector<const void*> back = shortest_path(mutex, each.mutex);
        if (back.empty()) continue;
        if (warning.empty()) {  // one warning suffices for this call
            back.insert(back.begin(), each.mutex);
            warning = cycle(back);
        }
        at->second.closes_cycle = true;
    }
    return warning;
}

void taken_orders::take(const task& fiber, const void* mutex, const char* kind) {
    held_[fiber.id].push_back({mutex, kind, path_to_here()});
}

void taken_orders::give_back(const task& fiber, const void* mutex) {
    if (remove_held(fiber.id, mutex)) return;
    // Shared ownership may be released by another fiber than the one that acquired it.
    for (const auto& [id, all] : held_) {
        if (remove_held(id, mutex)) return;
    }
}

bool taken_orders::remove_held(std::uint64_t fiber_id, const void* mutex) {
    const auto held = held_.find(fiber_id);
    if (held == held_.end()) return false;
    std::vector<held_mutex>& all = held->second;
    const auto last = std::find_if(all.rbegin(), all.rend(), [&](const auto& each) { return each.mutex == mutex; });
    if (last == all.rend()) return false;
    all.erase(std::next(last).base());
    if (all.empty()) held_.erase(held);
    return true;
}

void taken_orders::forget(const void* mutex) {
    for (auto& [id, all] : held_) std::erase_if(all, [&](const held_mutex& each) { return each.mutex == mutex; });
    const auto node = known_.find(mutex);
    if (node == known_.end()) return;
    for (const void* each : node->second.before) known_.at(each).next.erase(mutex);
    for (const auto& [each, how] : node->second.next) known_.at(each).before.erase(mutex);
    known_.erase(node);
}

/// The shortest path from `from` to `to`, including both, on which each mutex was wanted while the previous one was
/// held. Empty if there is none.
std::vector<const void*> taken_orders::shortest_path(const void* from, const void* to) const {
    std::unordered_map<const void*, const void*> came_from{{from, nullptr}};
    std::vector<const void*> reached{from};
    for (std::size_t i = 0; i < reached.size() && !came_from.contains(to); ++i) {
        for (const auto& [next, how] : known_.at(reached[i]).next) {
            if (!how.closes_cycle && came_from.try_emplace(next, reached[i]).second) reached.push_back(next);
        }
    }
    std::vector<const void*> found;
    if (!came_from.contains(to)) return found;
    for (const void* at = to; at != nullptr; at = came_from.at(at)) found.push_back(at);
    std::ranges::reverse(found);
    return found;
}

// ---- the warning ---------------------------------------------------------------------------------------------------

std::string taken_orders::mutex_name(const void* mutex) const {
    std::array<char, 32> address;
    std::snprintf(address.data(), address.size(), " (%p)", mutex);
    return known_.at(mutex).kind + std::string{address.data()};
}

/// The text of a warning, with a line for each step of the cycle. The last mutex of `path` equals the first one. The
/// first step is the one that was just observed.
std::string taken_orders::cycle(const std::vector<const void*>& path) const {
    std::vector<const void*> addresses;
    for (std::size_t i = 0; i + 1 < path.size(); ++i) {
        const dependency& step = known_.at(path[i]).next.at(path[i + 1]);
        for (const call_path& each : {step.held_since, step.wanted_at})
            addresses.insert(addresses.end(), each.frames.begin(), each.frames.begin() + each.depth);
    }
    look_up_symbols(addresses);
    std::string text = "mutexes are taken in orders that can end in a deadlock:";
    for (std::size_t i = 0; i + 1 < path.size(); ++i) {
        const dependency& step = known_.at(path[i]).next.at(path[i + 1]);
        text += "\n  fiber " + step.fiber + (i == 0 ? " takes the " : " has taken the ") + mutex_name(path[i + 1]) +
                " at " + describe(step.wanted_at) + " while it " + (i == 0 ? "holds" : "held") + " the " +
                mutex_name(path[i]) + ", taken at " + describe(step.held_since);
    }
    return text + "\ntake them in one order everywhere, or both at once with std::scoped_lock";
}

// ---- state of the thread -------------------------------------------------------------------------------------------

/// If a fiber calls exit, static mutexes are destroyed on its thread, after the thread's own objects.
constinit thread_local bool is_destroyed = false;

struct orders_of_thread {
    taken_orders orders;
    ~orders_of_thread() { is_destroyed = true; }
};

thread_local orders_of_thread own;

/// The lock orders of the current run; each run starts with an empty state. nullptr outside of a run, and at exit.
taken_orders* orders_of(const scheduler* here) {
    if (here == nullptr || is_destroyed) return nullptr;
    if (!own.orders.are_of(here->serial())) own.orders = taken_orders{here->serial()};
    return &own.orders;
}

/// Without memory the check misses an order, and the program goes on.
template <class F> void unless_out_of_memory(F f) noexcept {
    try {
        f();
    } catch (const std::bad_alloc&) {
    }
}

}  // namespace

bool lock_order::is_checked = is_enabled();

void lock_order::note_wanted(const void* mutex, const char* kind) noexcept {
    const scheduler& here = *scheduler::current();
    const detection_paused looking{here.running()};
    unless_out_of_memory([&] {
        taken_orders* const orders = orders_of(&here);
        if (orders == nullptr) return;
        const std::string warning = orders->want(here.running(), mutex, kind);
        if (!warning.empty()) log::warning(warning);
    });
}

void lock_order::note_taken(const void* mutex, const char* kind) noexcept {
    const scheduler& here = *scheduler::current();
    const detection_paused looking{here.running()};
    unless_out_of_memory([&] {
        if (taken_orders* const orders = orders_of(&here)) orders->take(here.running(), mutex, kind);
    });
}

void lock_order::note_given_back(const void* mutex) noexcept {
    const scheduler& here = *scheduler::current();
    unless_out_of_memory([&] {
        if (taken_orders* const orders = orders_of(&here)) orders->give_back(here.running(), mutex);
    });
}

void lock_order::note_destroyed(const void* mutex) noexcept {
    unless_out_of_memory([&] {
        if (taken_orders* const orders = orders_of(scheduler::current())) orders->forget(mutex);
    });
}

}  // namespace coir::detail
