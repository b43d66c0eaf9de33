#pragma once

#include <coir/detail/base/platform.hpp>

#include <coir/log_level.hpp>

#include <functional>
#include <string_view>

namespace coir {

/// `text` is one message, without a level, a time or a newline at the end. It may have several lines.
using log_function = std::function<void(log_level level, std::string_view text)>;

/// Sends coir's log to `function`: warnings, dumps and the reports of the blocking detector. An empty function, or
/// `nullptr`, restores the default. May be called from any thread at any time.
///
/// By default each message goes to the program's spdlog logger named `coir`, if spdlog's registry has one, and to
/// standard error otherwise. spdlog's default logger is never used. A program with its own copy of spdlog (for example
/// header-only, while coir links the shared library) has its own registry, which coir does not see: such a program must
/// call `set_log`.
///
/// The function
/// - is called by the thread that logs the message: in a fiber, outside of all fibers, or on the detector's thread.
///   Calls from several threads may run at the same time.
/// - must not suspend its fiber, and should not block its thread.
/// - may throw: the exception is dropped, and the message goes to the default log.
/// - may cause other messages: they go to standard error.
/// - is called until the process ends, also while static objects are destroyed, and in children of `fork`.
///
/// When `set_log` returns, the replaced function runs on no other thread and has been destroyed. If the function itself
/// calls `set_log`, it is destroyed when it returns.
///
/// @code
/// std::atomic<int> problems = 0;
/// coir::set_log([&](coir::log_level level, std::string_view text) {
///     if (level == coir::log_level::info) return;
///     std::clog << "my server: " << text << '\n';
///     ++problems;
/// });
/// coir::spawn([] { throw std::runtime_error{"this result is never retrieved"}; }).join();
/// coir::set_log(nullptr);
/// if (problems != 1) throw std::logic_error{"the failure was not logged"};
/// @endcode
void set_log(log_function function);

}  // namespace coir
