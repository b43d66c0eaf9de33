/// @file
/// Failures whose results can no longer be retrieved: they go to the program's handler, or into the log.

#include "base/log.hpp"
#include "base/symbols.hpp"
#include "core/scheduler.hpp"
#include "core/task/task_dump.hpp"

#include <exception>
#include <string>
#include <utility>

namespace coir::detail {

namespace {

/// ", spawned at file:line,"; empty if that is not known.
std::string spawned_at(const task& fiber) {
    if (fiber.spawn_site == nullptr) return {};
    scheduler* const here = scheduler::current();
    if (here == nullptr) return ", spawned at " + describe_call_site(fiber.spawn_site) + ',';
    const detection_paused reading_symbols{here->running()};
    return ", spawned at " + describe_call_site(fiber.spawn_site) + ',';
}

}  // namespace

void scheduler::report_unhandled(std::exception_ptr failure) noexcept {
    task& self = running();
    self.failure = std::move(failure);
    report_failure(self, settings_.on_unhandled_exception);
    self.failure = nullptr;
}

void scheduler::report_failure(const task& of, const unhandled_exception_handler& handler) noexcept {
    try {
        if (handler) {
            handler(of.failure, {of.name != nullptr ? of.name : "", of.name_bytes});
            return;
        }
        std::string what = "an exception that is not a std::exception";
        try {
            std::rethrow_exception(of.failure);
        } catch (const std::exception& failure) {
            what = failure.what();
        } catch (...) {
        }
        log::error("fiber " + describe_fiber(of) + spawned_at(of) +
                   " failed and its result was never retrieved: " + what);
    } catch (...) {
        log::error(handler ? "run_options::on_unhandled_exception threw an exception, which is dropped"
                           : "a fiber failed and its result was never retrieved; there is no memory to say more");
    }
}

}  // namespace coir::detail
