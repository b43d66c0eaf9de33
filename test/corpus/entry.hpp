#pragma once

#include <coir/blocking.hpp>

#include "corpus/stage.hpp"

#include <concepts>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coir::test {

/// The expected verdict on a call.
enum class verdict {
    blocked,            // holds the thread for 20 ms and more
    blocked_often,      // the same, in several waits at one location
    blocked_or_latent,  // whether it sleeps depends on the machine
    hog,                // computes or spins: reported as a hog, or as a blocked call
    latent,
    unseen,       // not reported, except for files that the page cache has: a warning
    not_blocked,  // it did not sleep; it may be reported as latent
    anything,     // depends on the machine alone; if reported, with the right class
};

/// The function of the corpus that must be found on the stack. It makes no tail call, so that its frame remains.
template <class Call> [[gnu::noinline]] void users_line(Call& call) {
    call();
    asm volatile("");
}

/// A call in a fiber, and the expected verdict.
struct entry {
    std::string name;
    verdict expected;
    blocking_class category;
    std::vector<std::string> calls;                    // names that a report may contain; empty: not checked
    std::function<std::function<void()>(stage&)> set;  // prepares the stage and returns the call
    bool has_hook = true;
    bool is_same_code = true;
};

using table = std::vector<entry>;

/// `play` is the call, or a function that prepares the stage and returns the call.
template <class Play>
entry make_entry(std::string_view name, verdict expected, blocking_class category,
                 std::initializer_list<std::string_view> calls, Play play) {
    entry made{std::string{name}, expected, category, {calls.begin(), calls.end()}, {}, true};
    if constexpr (std::invocable<Play, stage&>) {
        made.set = [play](stage& on) -> std::function<void()> {
            return [call = play(on)]() mutable { users_line(call); };
        };
    } else {
        made.set = [play](stage&) -> std::function<void()> { return [call = play]() mutable { users_line(call); }; };
    }
    return made;
}

template <class Play>
entry blocked(std::string_view name, blocking_class category, std::initializer_list<std::string_view> calls,
              Play play) {
    return make_entry(name, verdict::blocked, category, calls, std::move(play));
}

template <class Play>
entry blocked_often(std::string_view name, blocking_class category, std::initializer_list<std::string_view> calls,
                    Play play) {
    return make_entry(name, verdict::blocked_often, category, calls, std::move(play));
}

template <class Play>
entry blocked_or_latent(std::string_view name, blocking_class category, std::initializer_list<std::string_view> calls,
                        Play play) {
    return make_entry(name, verdict::blocked_or_latent, category, calls, std::move(play));
}

template <class Play>
entry latent(std::string_view name, blocking_class category, std::initializer_list<std::string_view> calls, Play play) {
    return make_entry(name, verdict::latent, category, calls, std::move(play));
}

template <class Play> entry hog(std::string_view name, Play play) {
    return make_entry(name, verdict::hog, blocking_class::cpu, {}, std::move(play));
}

template <class Play> entry unseen(std::string_view name, Play play) {
    return make_entry(name, verdict::unseen, blocking_class::other, {}, std::move(play));
}

template <class Play> entry not_blocked(std::string_view name, Play play) {
    return make_entry(name, verdict::not_blocked, blocking_class::other, {}, std::move(play));
}

template <class Play> entry anything(std::string_view name, blocking_class category, Play play) {
    return make_entry(name, verdict::anything, category, {}, std::move(play));
}

/// A call that is made by other code each time it is played.
inline entry of_other_code(entry made) {
    made.is_same_code = false;
    return made;
}

/// A call that only traps see.
inline entry without_hook(entry made) {
    made.has_hook = false;
    return made;
}

}  // namespace coir::test
