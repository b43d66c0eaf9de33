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

bool is_wanted() noexcept {
    const char* const value = std::getenv("COIR_LOCKDEP");
    if (value != nullptr && std::string_view{value} == "0") return false;
    if (value != nullptr && std::string_view{value} == "1") return true;
#if defined(NDEBUG)
    return false;
#else
    return true;
#endif
}

// ---- where in the program ------------------------------------------------------------------------------------------

/// Return addresses, innermost first: as many as surely lead through the library and the standard's locks to their
/// user.
struct call_path {
    std::array<const void*, 16> frames{};
    std::size_t depth = 0;
};

// The unwinder of the compiler's runtime, and not backtrace(3): that one opens a library at its first call.
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

/// The user's line.
std::string describe(const call_path& path) {
    for (std::size_t i = 0; i < path.depth; ++i) {
        for (const symbol& each : symbolise(path.frames[i])) {
            if (!each.is_plumbing) return describe(each);
        }
    }
    return "a place that is not known";
}

// ---- what was taken while what was held ----------------------------------------------------------------------------

struct held_mutex {
    const void* mutex;
    const char* kind;
    call_path taken_at;
};

/// A mutex was wanted while another was held, the first time that it was seen.
struct succession {
    std::string fiber;
    call_path held_since;
    call_path wanted_at;
    bool is_wrong = false;  // it has closed a cycle, was warned of, and leads to no further ones
};

struct known_mutex {
    const char* kind;
    std::unordered_map<const void*, succession> next;
    std::unordered_set<const void*> before;
};

/// What the fibers of one run hold, and in which orders they have taken it.
class taken_orders {
public:
    explicit taken_orders(std::uint64_t of_scheduler = 0) noexcept : scheduler_{of_scheduler} {}

    [[nodiscard]] bool are_of(std::uint64_t scheduler) const noexcept { return scheduler_ == scheduler; }

    /// What there is to warn of; empty when there is nothing, or nothing new.
    std::string want(const task& who, const void* mutex, const char* kind);
    void take(const task& who, const void* mutex, const char* kind);
    void give_back(const task& who, const void* mutex);
    void forget(const void* mutex);

private:
    [[nodiscard]] std::vector<const void*> way(const void* from, const void* to) const;
    [[nodiscard]] std::string cycle(const std::vector<const void*>& way) const;
    [[nodiscard]] std::string mutex_name(const void* mutex) const;
    bool take_off(std::uint64_t fiber, const void* mutex);

    std::uint64_t scheduler_;
    std::unordered_map<std::uint64_t, std::vector<held_mutex>> held_;  // by the fiber's id
    std::unordered_map<const void*, known_mutex> known_;
};

std::string taken_orders::want(const task& who, const void* mutex, const char* kind) {
    const auto held = held_.find(who.id);
    if (held == held_.end()) return {};
    // A recursive one, or a misuse that is told otherwise.
    if (std::ranges::any_of(held->second, [&](const held_mutex& each) { return each.mutex == mutex; })) return {};

    std::string warning;
    for (const held_mutex& each : held->second) {
        known_mutex& earlier = known_.try_emplace(each.mutex, known_mutex{each.kind, {}, {}}).first->second;
        const auto [at, is_new] = earlier.next.try_emplace(mutex);
        if (!is_new) continue;
        at->second = {describe_fiber(who), each.taken_at, path_to_here()};
        known_.try_emplace(mutex, known_mutex{kind, {}, {}}).first->second.before.insert(each.mutex);
        std::vector<const void*> back = way(mutex, each.mutex);
        if (back.empty()) continue;
        if (warning.empty()) {  // the others say the same of this place
            back.insert(back.begin(), each.mutex);
            warning = cycle(back);
        }
        at->second.is_wrong = true;
    }
    return warning;
}

void taken_orders::take(const task& who, const void* mutex, const char* kind) {
    held_[who.id].push_back({mutex, kind, path_to_here()});
}

void taken_orders::give_back(const task& who, const void* mutex) {
    if (take_off(who.id, mutex)) return;
    // A share may be given back by another fiber than the one that took it.
    for (const auto& [fiber, all] : held_) {
        if (take_off(fiber, mutex)) return;
    }
}

bool taken_orders::take_off(std::uint64_t fiber, const void* mutex) {
    const auto held = held_.find(fiber);
    if (held == held_.end()) return false;
    std::vector<held_mutex>& all = held->second;
    const auto last = std::find_if(all.rbegin(), all.rend(), [&](const auto& each) { return each.mutex == mutex; });
    if (last == all.rend()) return false;
    all.erase(std::next(last).base());
    if (all.empty()) held_.erase(held);
    return true;
}

void taken_orders::forget(const void* mutex) {
    for (auto& [fiber, all] : held_) std::erase_if(all, [&](const held_mutex& each) { return each.mutex == mutex; });
    const auto node = known_.find(mutex);
    if (node == known_.end()) return;
    for (const void* each : node->second.before) known_.at(each).next.erase(mutex);
    for (const auto& [each, how] : node->second.next) known_.at(each).before.erase(mutex);
    known_.erase(node);
}

/// The shortest way along which each was wanted while the one before it was held, both ends included; empty when there
/// is none.
std::vector<const void*> taken_orders::way(const void* from, const void* to) const {
    std::unordered_map<const void*, const void*> came_from{{from, nullptr}};
    std::vector<const void*> reached{from};
    for (std::size_t i = 0; i < reached.size() && !came_from.contains(to); ++i) {
        for (const auto& [next, how] : known_.at(reached[i]).next) {
            if (!how.is_wrong && came_from.try_emplace(next, reached[i]).second) reached.push_back(next);
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

/// A line for each step, the last mutex being the first again. The first step is the one that has just been made.
std::string taken_orders::cycle(const std::vector<const void*>& way) const {
    std::string text = "mutexes are taken in orders that can end in a deadlock:";
    for (std::size_t i = 0; i + 1 < way.size(); ++i) {
        const succession& step = known_.at(way[i]).next.at(way[i + 1]);
        text += "\n  fiber " + step.fiber + (i == 0 ? " takes the " : " has taken the ") + mutex_name(way[i + 1]) +
                " at " + describe(step.wanted_at) + " while it " + (i == 0 ? "holds" : "held") + " the " +
                mutex_name(way[i]) + ", taken at " + describe(step.held_since);
    }
    return text + "\ntake them in one order everywhere, or both at once with std::scoped_lock";
}

// ---- of this thread ------------------------------------------------------------------------------------------------

/// Where a fiber calls exit, static mutexes are destroyed in it, after the thread's own objects.
constinit thread_local bool is_over = false;

struct last_of_thread {
    taken_orders orders;
    ~last_of_thread() { is_over = true; }
};

thread_local last_of_thread own;

/// Those of the run that the calling fiber is in: another run begins anew. nullptr outside of a run, and at exit.
taken_orders* orders_of(const scheduler* here) {
    if (here == nullptr || is_over) return nullptr;
    if (!own.orders.are_of(here->serial())) own.orders = taken_orders{here->serial()};
    return &own.orders;
}

}  // namespace

bool lock_order::is_checked = is_wanted();

void lock_order::note_wanted(const void* mutex, const char* kind) noexcept {
    const scheduler& here = *scheduler::current();
    const detection_paused looking{here.running()};
    taken_orders* const orders = orders_of(&here);
    if (orders == nullptr) return;
    const std::string warning = orders->want(here.running(), mutex, kind);
    if (!warning.empty()) log::warning(warning);
}

void lock_order::note_taken(const void* mutex, const char* kind) noexcept {
    const scheduler& here = *scheduler::current();
    const detection_paused looking{here.running()};
    if (taken_orders* const orders = orders_of(&here)) orders->take(here.running(), mutex, kind);
}

void lock_order::note_given_back(const void* mutex) noexcept {
    const scheduler& here = *scheduler::current();
    if (taken_orders* const orders = orders_of(&here)) orders->give_back(here.running(), mutex);
}

void lock_order::note_destroyed(const void* mutex) noexcept {
    if (taken_orders* const orders = orders_of(scheduler::current())) orders->forget(mutex);
}

}  // namespace coir::detail
