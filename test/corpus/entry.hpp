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

/// What has to be said of a call.
enum class verdict {
    blocked,            // it holds the thread for 20 ms and more
    blocked_often,      // the same, in several waits of one place
    blocked_or_latent,  // whether it sleeps is for the machine to say
    hog,                // computes, or spins: reported as a hog, or as a call that slept
    latent,
    unseen,       // not a word
    not_blocked,  // it did not sleep; that it might have can be said
    anything,     // the machine's moods alone: of its class, if it is reported
};

/// The function of the corpus that has to be found on the stack. It stays there: no tail call.
template <class Call> [[gnu::noinline]] void users_line(Call& call) {
    call();
    asm volatile("");
}

/// A call in a fiber, and what has to be said of it.
struct entry {
    std::string name;
    verdict expected;
    blocking_class category;
    std::vector<std::string> calls;                    // what a report may name; empty: not judged
    std::function<std::function<void()>(stage&)> set;  // makes the stage and gives the call
};

using table = std::vector<entry>;

/// `play` is the call, or a function that sets the stage and returns the call.
template <class Play>
entry make_entry(std::string_view name, verdict expected, blocking_class category,
                 std::initializer_list<std::string_view> calls, Play play) {
    entry made{std::string{name}, expected, category, {calls.begin(), calls.end()}, {}};
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

}  // namespace coir::test
