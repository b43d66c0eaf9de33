#include "corpus/judge.hpp"

#include <coir/fiber.hpp>

#include "base/symbols.hpp"
#include "corpus/rival.hpp"
#include "detect/calls/classes.hpp"
#include "detect/calls/known_calls.hpp"
#include "detect/reports.hpp"
#include "support/captured_log.hpp"
#include "support/limits.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <sstream>

namespace coir::test {

namespace {

using namespace std::chrono_literals;
using all_reports = std::vector<blocking_report>;

struct outcome {
    engine_status engine;
    all_reports reports;
};

outcome play(const entry& each, blocking_engine engine) {
    const captured_log log;
    stage around;
    const std::function<void()> call = each.set(around);
    const reports seen{{.engine = engine, .stall_threshold = each.expected == verdict::hog ? 50ms : 100ms}};
    outcome came;
    run(seen.options(), [&] {
        spawn({.name = each.name}, [&] {
            came.engine = active_engine();
            around.begin();
            call();
        }).get();
    });
    came.reports = seen.all();
    return came;
}

bool is_users_line(const stack_frame& frame) { return frame.function.find("users_line") != frame.function.npos; }

std::string describe(const all_reports& reports) {
    std::ostringstream text;
    for (const blocking_report& each : reports) {
        text << "\n    " << detail::to_string(each.kind) << ' ' << detail::to_string(each.category) << ' ' << each.call
             << ", " << each.count << " times, " << std::chrono::duration<double, std::milli>{each.held}.count()
             << " ms, in \"" << each.fiber_name << "\"";
        for (const stack_frame& frame : each.stack) {
            text << "\n        " << frame.function.substr(0, 60) << ' ' << frame.file << ':' << frame.line;
            if (is_users_line(frame)) break;
        }
    }
    return text.str();
}

all_reports of_kind(const all_reports& reports, blocking_kind kind) {
    all_reports found;
    std::ranges::copy_if(reports, std::back_inserter(found), [&](const auto& each) { return each.kind == kind; });
    return found;
}

void check_words(const entry& each, const blocking_report& report) {
    CHECK(detail::to_string(report.category) == detail::to_string(each.category));
    // A futex has the name of the function that uses it, where the stack shows one.
    const bool is_named_lock = detail::call_named(report.call).category == blocking_class::lock &&
                               detail::call_named(report.call).numbers.front() < 0;
    const auto is_meant = [&](const std::string& call) {
        const std::string_view canonical = detail::call_named(call).name;
        return report.call == (canonical.empty() ? call : canonical) || (canonical == "futex" && is_named_lock);
    };
    if (!each.calls.empty()) CHECK_MESSAGE(std::ranges::any_of(each.calls, is_meant), report.call);
    CHECK(report.fiber_name == each.name);
    // Without debug information, a function with internal linkage has no name. AddressSanitizer's function for vfork(2) has
    // no unwind information.
    const bool has_stack =
        (hogs_have_stacks || report.kind != blocking_kind::hog) && !(address_sanitized && report.call == "vfork");
    if (detail::has_source_lines() && has_stack) CHECK(std::ranges::any_of(report.stack, is_users_line));
}

/// The wait itself is reported once. Calls that lead to it may sleep as well.
void check_blocked(const entry& each, const all_reports& reports) {
    const all_reports blocked = of_kind(reports, blocking_kind::blocked);
    for (const blocking_report& report : blocked) check_words(each, report);
    const auto is_as_severe = [](const blocking_report& report) {
        const bool is_warning = detail::call_named(report.call).rule == detail::level_rule::warning;
        return report.level == (is_warning ? blocking_level::warning : blocking_level::error);
    };
    CHECK(std::ranges::any_of(blocked, is_as_severe));
    const auto holds = [](const blocking_report& report) { return report.held >= 20ms; };
    REQUIRE(std::ranges::count_if(blocked, holds) == 1);
    if (each.expected == verdict::blocked) CHECK(std::ranges::find_if(blocked, holds)->count == 1);
}

/// libstdc++ first spins with sched_yield; then this call is reported, or the watchdog reports a hog.
void check_hog(const entry& each, const all_reports& reports) {
    const all_reports hogs = of_kind(reports, blocking_kind::hog);
    REQUIRE_FALSE(hogs.empty());
    for (const blocking_report& report : hogs) check_words(each, report);
    CHECK(of_kind(reports, blocking_kind::blocked).empty());
}

void check(const entry& each, const all_reports& reports) {
    switch (each.expected) {
    case verdict::blocked:
    case verdict::blocked_often: return check_blocked(each, reports);
    case verdict::blocked_or_latent:
        REQUIRE_FALSE(reports.empty());
        for (const blocking_report& report : reports) {
            if (report.level == blocking_level::error) check_words(each, report);
        }
        return;
    case verdict::hog: return check_hog(each, reports);
    case verdict::latent:
        REQUIRE(reports.size() == 1);
        CHECK(reports.front().kind == blocking_kind::latent);
        return check_words(each, reports.front());
    case verdict::unseen:
        for (const blocking_report& report : reports) {
            CHECK(report.level == blocking_level::warning);
            CHECK(report.kind == blocking_kind::latent);
            CHECK((report.category == blocking_class::disk || report.category == blocking_class::other));
        }
        return;
    case verdict::not_blocked: CHECK(of_kind(reports, blocking_kind::latent).size() == reports.size()); return;
    case verdict::anything:
        for (const blocking_report& report : reports) {
            if (report.level == blocking_level::error) check_words(each, report);
        }
        return;
    }
}

/// Hooks cannot predict the behaviour of a call as precisely, and may report it as latent.
void check_with_hooks(const entry& each, const all_reports& reports) {
    const bool sleeps = each.expected != verdict::unseen && each.expected != verdict::not_blocked;
    for (const blocking_report& report : reports) {
        if (sleeps && report.kind == blocking_kind::blocked && report.level == blocking_level::error)
            CHECK(detail::to_string(report.category) == detail::to_string(each.category));
        if (!sleeps) CHECK(report.kind == blocking_kind::latent);
    }
    const bool is_seen = each.has_hook && !sanitized;  // with a sanitizer, locks have no hooks
    const bool is_long = each.expected == verdict::blocked || each.expected == verdict::blocked_often;
    if (is_seen && is_long) {
        const auto holds = [](const auto& report) {
            return report.kind == blocking_kind::blocked && report.held >= 20ms;
        };
        CHECK(std::ranges::count_if(reports, holds) == 1);
    }
    if (is_seen && each.expected == verdict::latent) CHECK_FALSE(reports.empty());
}

void judge_each(const table& entries, blocking_engine engine = blocking_engine::trap) {
    for (const entry& each : entries) {
        const outcome came = play(each, engine);
        INFO(each.name, describe(came.reports));
        if (came.engine.engine == blocking_engine::trap)
            check(each, came.reports);
        else
            check_with_hooks(each, came.reports);
    }
}

/// The wait of an entry that holds the thread; nothing if it was not seen.
std::optional<blocking_report> wait_in(const all_reports& reports) {
    const auto found = std::ranges::find_if(reports, [](const blocking_report& report) {
        return report.kind == blocking_kind::blocked && report.held >= 20ms;
    });
    return found == reports.end() ? std::nullopt : std::optional{*found};
}

/// A baseline that was written with one engine is used with another.
void compare_engines(const table& entries) {
    for (const entry& each : entries) {
        if (!each.has_hook || each.expected != verdict::blocked) continue;
        const outcome hooked = play(each, blocking_engine::hooks);
        const outcome trapped = play(each, blocking_engine::trap);
        const auto one = wait_in(hooked.reports);
        const auto other = wait_in(trapped.reports);
        if (!one || !other || trapped.engine.engine != blocking_engine::trap) continue;
        INFO(each.name, describe(hooked.reports), describe(trapped.reports));
        CHECK(one->call == other->call);
        CHECK(one->category == other->category);
        CHECK(one->level == other->level);
        if (each.is_same_code) CHECK(one->fingerprint == other->fingerprint);
    }
}

}  // namespace

void judge(const table& entries) {
    SUBCASE("alone on the core") { judge_each(entries); }
    SUBCASE("with a process that competes for the core") {
        const rival other;
        judge_each(entries);
    }
    SUBCASE("with hooks") { judge_each(entries, blocking_engine::hooks); }
    SUBCASE("with hooks the findings are those of traps") { compare_engines(entries); }
}

}  // namespace coir::test
