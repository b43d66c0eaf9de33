#include "core/task/terminated_destructor.hpp"

#include <coir/error.hpp>

#include "base/check.hpp"
#include "base/printable.hpp"
#include "base/symbols.hpp"
#include "core/scheduler.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <execinfo.h>
#include <span>
#include <string>
#include <unistd.h>

namespace coir::detail {

namespace {

constinit std::atomic<int> users{0};
constinit std::atomic<std::terminate_handler> of_the_program{nullptr};

constexpr const char* by_stop = "a stop (coir::cancelled)";
constexpr const char* by_limit = "an expired limit in time (coir::scope_expired)";

/// In some builds, such as those with ThreadSanitizer, std::terminate is called before the exception is caught, so that
/// it is unknown. Then it is the interruption that is due.
const char* name_of_due_interruption() noexcept {
    if (std::uncaught_exceptions() == 0) return nullptr;
    const interruption due = scheduler::current()->running().due(0);
    if (due.stop) return by_stop;
    return due.expired != nullptr ? by_limit : nullptr;
}

/// What has left the destructor; nullptr if it is none of coir's interruptions.
const char* name_of_interruption() noexcept {
    const std::exception_ptr thrown = std::current_exception();
    if (thrown == nullptr) return name_of_due_interruption();
    try {
        std::rethrow_exception(thrown);
    } catch (const cancelled&) {
        return by_stop;
    } catch (const scope_expired&) {
        return by_limit;
    } catch (...) {
        return nullptr;
    }
}

bool is_destructor(const symbol& function) {
    return !function.is_plumbing &&
           (function.function.find("::~") != std::string::npos || function.function.starts_with('~'));
}

/// The innermost destructor of the program; without symbols, the innermost function of the program.
std::string name_of_destructor(std::span<void* const> frames) {
    std::string innermost;
    for (const void* const each : frames) {
        const std::vector<symbol> functions = symbolise(each);
        const auto found = std::ranges::find_if(functions, is_destructor);
        if (found != functions.end()) return found->function + (found->line > 0 ? ", " + describe(*found) : "");
        const auto own = std::ranges::find(functions, false, &symbol::is_plumbing);
        if (innermost.empty() && own != functions.end()) innermost = describe(*own);
    }
    return innermost.empty() ? "unknown" : innermost;
}

void explain() noexcept {
    const char* const what = scheduler::current() != nullptr ? name_of_interruption() : nullptr;
    if (what == nullptr) return;
    std::array<void*, 64> frames;
    const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
    const std::string where = printable(name_of_destructor(std::span{frames}.first(static_cast<std::size_t>(count))));
    ::dprintf(
        STDERR_FILENO,
        "coir: %s ended a wait in a destructor or another noexcept function, and no exception may leave that: %s; "
        "open a coir::shield_scope in it, before it waits\n",
        what, where.c_str());
    if (const auto describe_fiber = describe_running_fiber.load(std::memory_order_relaxed))
        describe_fiber(STDERR_FILENO);
    ::backtrace_symbols_fd(frames.data(), count, STDERR_FILENO);
}

[[noreturn]] void on_terminate() {
    explain();
    if (const std::terminate_handler next = of_the_program.load()) next();
    std::abort();
}

}  // namespace

terminate_explained::terminate_explained() noexcept {
    users.fetch_add(1);
    const std::terminate_handler before = std::set_terminate(on_terminate);
    if (before != on_terminate) of_the_program.store(before);
}

/// If another thread begins a run at this moment, its run may go without the explanation.
terminate_explained::~terminate_explained() {
    if (users.fetch_sub(1) == 1 && std::get_terminate() == on_terminate) std::set_terminate(of_the_program.load());
}

}  // namespace coir::detail
