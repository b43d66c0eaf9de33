#pragma once

#include <coir/detail/base/platform.hpp>

#include <coir/blocking_class.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace coir {

namespace detail {
class task;
}

/// What coir does when a fiber holds its thread, that is, when it blocks or computes for long while other fibers could
/// run. Only errors count (`blocking_level`); warnings and notes are in the reports.
enum class blocking_policy {
    off,    // no detection
    warn,   // the event is logged, and the program continues
    fail,   // the event is logged, and the next suspension of the fiber throws `blocking_call`
    abort,  // the event is logged, and the program aborts
};

/// How coir detects blocking. `hooks` includes all that `watch` does, and `trap` all that `hooks` does.
enum class blocking_engine {
    automatic,  // the same as `hooks`
    watch,      // a watchdog thread: detects every stall that lasts longer than the threshold
    hooks,      // hooks on the C library's blocking functions: detect, name and time each call
    trap,       // a trap on every system call of a fiber, with Syscall User Dispatch (x86-64, Linux 5.11)
};

enum class blocking_kind {
    blocked,  // slept in the kernel
    hog,      // computed without yielding
    latent,   // made a potentially blocking call that did not block this time
};

/// How much a finding matters. Does not depend on how fast the machine or the peer was: a call that waits for somebody
/// else is an error whether it slept this time or not. docs/design/verdict.md has the rules.
enum class blocking_level {
    note,     // not the program's to change: locks inside the memory allocator
    warning,  // may hold the thread, but usually for a short time: files, free locks
    error,
};

/// The set of classes to detect: all by default, or only the listed ones.
class blocking_classes {
public:
    constexpr blocking_classes() noexcept = default;
    constexpr blocking_classes(std::initializer_list<blocking_class> only) noexcept : bits_{0} {
        for (const blocking_class each : only) insert(each);
    }

    [[nodiscard]] constexpr bool contains(blocking_class which) const noexcept { return (bits_ & bit(which)) != 0; }
    constexpr void insert(blocking_class which) noexcept { bits_ |= bit(which); }
    constexpr void erase(blocking_class which) noexcept { bits_ &= ~bit(which); }

    friend constexpr bool operator==(const blocking_classes&, const blocking_classes&) noexcept = default;

private:
    static constexpr std::uint32_t bit(blocking_class which) noexcept { return 1U << static_cast<unsigned>(which); }

    std::uint32_t bits_ = ~0U;
};

/// One function on a stack. An inlined function is a frame of its own, directly before the function that it was inlined
/// into, with the same address.
struct stack_frame {
    const void* address = nullptr;  // return address
    std::string module;             // file name of the executable or library
    std::uintptr_t offset = 0;      // offset of `address` in the module
    std::string function;           // demangled; empty if unknown
    std::string file;               // empty without debug information, or if coir is built without COIR_SYMBOLS
    int line = 0;
};

/// One location where fibers held their thread.
struct blocking_report {
    std::uint64_t id = 0;  // of the location in one run, unique in the process
    blocking_kind kind = blocking_kind::blocked;
    blocking_level level = blocking_level::error;
    blocking_class category = blocking_class::other;
    std::string call;                  // `nanosleep`, `recv`, `getaddrinfo`; empty for a hog
    std::chrono::nanoseconds held{0};  // the time of the longest event
    std::chrono::nanoseconds total{0};
    std::uint64_t count = 0;
    std::uint64_t fiber_id = 0;  // the first fiber seen at this location
    std::string fiber_name;
    std::string spawn_site;   // of that fiber: "file:line", or "function (module+0xoffset)"
    std::string test_case;    // in which the location was found first (`set_blocking_test_case`)
    std::string fingerprint;  // identifies the location across engines, builds and machines
    std::string text;         // one line: `server.cpp:12: fiber "worker" held its thread for 20 ms, ...; use ...`
    std::vector<stack_frame> stack;  // innermost frame first; empty if the fiber sleeps in a call that has no hook
};

/// Options of blocking detection in a run. Environment variables override them, except in a program that has more
/// privileges than its caller (set-user-ID, file capabilities; secure_getenv(3)), which ignores all of coir's variables:
///
/// - `COIR_BLOCKING=off|warn|fail|abort`
/// - `COIR_BLOCKING_ENGINE=automatic|watch|hooks|trap`
/// - `COIR_BLOCKING_STALL_MS=100`
/// - `COIR_BLOCKING_CLASSES=sleep,network` (only these) or `-disk,-pipe` (all except these)
/// - `COIR_BLOCKING_SUPPRESSIONS=path`
/// - `COIR_BLOCKING_REPORT=path`: at the end of the run, each location is appended to that file as one line of JSON
/// - `COIR_BLOCKING_RECORDS=folder`: the observations are written to a file in that folder, for the tool
///   `blocking-detector`; with policy `warn` nothing is logged then. The file is created before `main`. If that fails, a
///   warning is logged (not if there is no such folder), and nothing is recorded
///
/// If a variable has an invalid value, `run` throws `std::invalid_argument`, which names the variable.
struct blocking_options {
    blocking_policy policy = blocking_policy::warn;
    blocking_engine engine = blocking_engine::automatic;

    /// How long a fiber may hold its thread before the watchdog reports it. Hooks report every call that slept.
    std::chrono::milliseconds stall_threshold{100};

    blocking_classes classes{};

    /// Path of a file with suppression rules; empty: none. One rule a line; `#` begins a comment:
    ///
    ///     call-stack-contains:legacy::*      a function anywhere on the stack
    ///     function-name-matches:^getaddrinfo$   the blocking call
    ///     called-from-lib:libpq              a module anywhere on the stack
    ///     src:*/third_party/*                a source file anywhere on the stack
    ///     class:disk && fiber:writer-*       several conditions, all of which must match
    ///     src:*/old/* until=2026-12-31 reason=being replaced    valid until that day; the reason is documentation
    ///
    /// A pattern may match any part of the text. `^` and `$` anchor it at the ends; `*` matches any characters.
    std::string suppressions{};

    /// Called with each location, warnings and notes included: when it is found; when it gets a higher level; once a
    /// minute, and at the end of the run, if its numbers have changed. A report replaces the earlier one with the same
    /// `id`. Called on the thread of the run: in a fiber of its own, which is not watched, and at the end after the last
    /// fiber. So it waits while the thread is blocked, and must not suspend. One call at a time. In a run with a seed it is
    /// called at the end only, so that the order of the fibers stays the same. With the policy `abort`, the watchdog's
    /// thread calls it. An exception is logged.
    std::function<void(const blocking_report&)> on_report{};
};

/// Calls `listener` with the reports of every run of the process: when `blocking_options::on_report` of that run is called,
/// after it and in the same way, even if it has thrown. One call at a time. For test frameworks:
/// coir/test/doctest_listener.hpp, gtest_listener.hpp and catch2_listener.hpp use it. Replaces the previous listener; empty:
/// none. When it returns, the previous one runs on no other thread. Must not be called by a listener.
void set_blocking_listener(std::function<void(const blocking_report&)> listener);

/// Says which test case runs from now on, in the whole process: a location that is found then has the name, up to 127
/// bytes, in `blocking_report::test_case` and in the reports of `blocking-detector`. Empty: none. For test frameworks: the
/// listeners above call it. The names are never freed.
void set_blocking_test_case(std::string_view name);

/// Thrown under `blocking_policy::fail` at the next suspension of the fiber that held its thread. `what()` is the text
/// of the log message.
class blocking_call : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Permits blocking calls in the current fiber for the lifetime of this object: they are not reported. `why` is
/// documentation in the source code. Has no effect outside a fiber. Must be destroyed by the fiber that created it.
///
/// @code
/// coir::allow_blocking permit{"the configuration is read once, before other fibers run"};
/// std::this_thread::sleep_for(1ms);
/// @endcode
class [[nodiscard]] allow_blocking {
public:
    explicit allow_blocking(const char* why) noexcept;
    ~allow_blocking();
    allow_blocking(const allow_blocking&) = delete;
    allow_blocking& operator=(const allow_blocking&) = delete;

private:
    detail::task* fiber_;
};

/// The state of blocking detection as it really is, which may differ from the options.
struct engine_status {
    bool on = false;
    blocking_engine engine = blocking_engine::automatic;  // if on: `watch`, `hooks` or `trap`
    std::string missing;                                  // what the engine cannot detect here, and why; else empty
};

/// The status for the run of the calling thread. Outside a run: off.
[[nodiscard]] engine_status active_engine();

}  // namespace coir
