#pragma once

#include <coir/detail/base/platform.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

namespace coir {

namespace detail {
class task;
}

/// What happens when a fiber holds its thread while others could run.
enum class blocking_policy {
    off,    // nobody looks
    warn,   // it is logged, and the program goes on
    fail,   // and `blocking_call` is thrown at the fiber's next suspension
    abort,  // it is logged, and the program ends
};

/// Who looks for it.
enum class blocking_engine {
    automatic,  // hooks
    watch,      // a watchdog's thread: finds every stall that lasts longer than the threshold
    hooks,      // and hooks on the C library's blocking functions: find each call, name it and time it
    trap,       // and every system call of a fiber, whoever makes it, by Syscall User Dispatch (x86-64, Linux 5.11)
};

enum class blocking_kind {
    blocked,  // slept in the kernel
    hog,      // computed without yielding
    latent,   // made a call that can sleep, and by luck did not
};

enum class blocking_class { sleep, poll, network, pipe, disk, lock, process, dns, signal, other, cpu };

/// The classes that are looked for: all, or those listed.
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

/// A function on a stack. One that was inlined stands above the one that it was inlined into, with the same address.
struct stack_frame {
    const void* address = nullptr;  // the instruction that control returns to
    std::string module;             // the executable's or library's file name
    std::uintptr_t offset = 0;      // of `address` in the module
    std::string function;           // demangled; empty when unknown
    std::string file;               // empty where the program has no debug information, or coir no COIR_SYMBOLS
    int line = 0;
};

/// One place at which fibers held their thread.
struct blocking_report {
    blocking_kind kind = blocking_kind::blocked;
    blocking_class category = blocking_class::other;
    std::string call;                  // `nanosleep`, `recvfrom`, `getaddrinfo`; empty for a hog
    std::chrono::nanoseconds held{0};  // the longest time
    std::chrono::nanoseconds total{0};
    std::uint64_t count = 0;
    std::uint64_t fiber_id = 0;  // the first fiber seen there
    std::string fiber_name;
    std::string spawn_site;          // of that fiber: "file:line", or "function (module+0xoffset)"
    std::vector<stack_frame> stack;  // innermost first; empty when the fiber sleeps where no hook knows of it
};

/// How blocking is looked for in a run. The environment wins over what the program asks for:
///
/// - `COIR_BLOCKING=off|warn|fail|abort`
/// - `COIR_BLOCKING_ENGINE=automatic|watch|hooks|trap`
/// - `COIR_BLOCKING_STALL_MS=100`
/// - `COIR_BLOCKING_CLASSES=sleep,network` (these alone) or `-disk,-pipe` (all but these)
/// - `COIR_BLOCKING_SUPPRESSIONS=path`
/// - `COIR_BLOCKING_REPORT=path`: a line of JSON for each report is appended to that file
/// - `COIR_BLOCKING_RECORDS=folder`: what is seen goes into files there, for the tool `blocking-detector`; with policy
///   warn nothing is logged
///
/// `run` throws `std::invalid_argument` for a value that it does not understand, naming the variable.
struct blocking_options {
    blocking_policy policy = blocking_policy::warn;
    blocking_engine engine = blocking_engine::automatic;

    /// How long the watchdog lets a fiber hold its thread. Hooks report any call that slept.
    std::chrono::milliseconds stall_threshold{100};

    blocking_classes classes{};

    /// A file of what is not to be reported; empty: none. One rule a line, `#` begins a comment:
    ///
    ///     call-stack-contains:legacy::*      a function anywhere on the stack
    ///     function-name-matches:^getaddrinfo$   the blocking call
    ///     called-from-lib:libpq              a module anywhere on the stack
    ///     src:*/third_party/*                a source file anywhere on the stack
    ///     class:disk && fiber:writer-*       all of several
    ///     src:*/old/* until=2026-12-31 reason=being replaced    until that day; the reason is for the reader
    ///
    /// A pattern matches anywhere in the text; `^` and `$` bind it to the ends, `*` stands for anything.
    std::string suppressions{};

    /// Called on the watchdog's thread when the run ends: once for each distinct stack, latent ones included. Must not
    /// throw: what it throws is logged.
    std::function<void(const blocking_report&)> on_report{};
};

/// Thrown under `blocking_policy::fail` at the next suspension of the fiber that held its thread. `what()` is the text
/// that was logged.
class blocking_call : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Blocking is meant while this lives, in the fiber that makes it: nothing is reported. `why` is for the reader of the
/// code. Outside a fiber it does nothing. Destroyed by the fiber that made it.
///
/// @code
/// coir::allow_blocking permit{"the configuration is read once, before anyone else runs"};
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

/// What looks for blocking, really.
struct engine_status {
    bool on = false;
    blocking_engine engine = blocking_engine::automatic;  // once on: watch, hooks or trap
    std::string missing;                                  // what it cannot see in this program, and why; empty: nothing
};

/// Of the calling thread's run. Off outside one.
[[nodiscard]] engine_status active_engine();

}  // namespace coir
