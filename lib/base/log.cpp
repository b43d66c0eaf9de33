#include "base/log.hpp"

#include "base/default_log.hpp"
#include "base/log_mutex.hpp"
#include "base/printable.hpp"
#include "base/sys.hpp"

#include <cerrno>
#include <mutex>
#include <new>
#include <pthread.h>
#include <string>
#include <utility>

namespace coir {

namespace log {

constinit log_mutex mutex;

namespace {

/// The log function that was passed to `set_log`.
struct target {
    log_function function;
    int calls = 0;           // in progress
    bool is_orphan = false;  // replaced during its own last call; the end of that call deletes the target
};

// Never destroyed: other threads may log while the process exits.
constinit target* current = nullptr;                    // guarded by `mutex`
thread_local constinit target* running_here = nullptr;  // the target that this thread is calling
thread_local constinit bool is_logging = false;
thread_local constinit bool is_in_own_function __attribute__((tls_model("initial-exec"))) = false;

/// A child of fork(2) has only the forking thread: `set_log` must not wait there for calls of other threads.
void forget_other_threads() noexcept {
    if (current != nullptr) current->calls = 0;
    if (running_here != nullptr) running_here->calls = 1;
    mutex.unlock();
}

[[maybe_unused]] const int at_fork =
    ::pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, forget_other_threads);

target* begin_call() noexcept {
    const std::lock_guard lock{mutex};
    if (current != nullptr) ++current->calls;
    return running_here = current;
}

void end_call() noexcept {
    target* const ended = std::exchange(running_here, nullptr);
    {
        const std::lock_guard lock{mutex};
        if (--ended->calls > 0 || !ended->is_orphan) return;
    }
    delete ended;
}

/// False if there is no function or if it has thrown.
bool write_to_function(log_level level, std::string_view text) noexcept {
    const target* const chosen = begin_call();
    if (chosen == nullptr) return false;
    bool done = false;
    try {
        chosen->function(level, text);
        done = true;
    } catch (...) {
    }
    end_call();
    return done;
}

/// Writes with coir's own log function.
void write_by_default(log_level level, std::string_view text, bool with_spdlog) noexcept {
    is_in_own_function = true;
    if (!with_spdlog || !write_to_spdlog(level, text)) write_to_standard_error(level, text);
    is_in_own_function = false;
}

void write_printable(log_level level, std::string_view text) noexcept {
    while (text.ends_with('\n')) text.remove_suffix(1);
    if (is_logging) {
        // Prevents endless recursion: the log function itself has caused this message.
        write_by_default(level, text, false);
    } else {
        is_logging = true;
        if (!write_to_function(level, text)) write_by_default(level, text, true);
        is_logging = false;
    }
}

/// A message may contain names that the program has made of a request, and texts of exceptions.
void write(log_level level, std::string_view text) noexcept {
    const int saved = errno;
    try {
        write_printable(level, detail::printable_lines(text));
    } catch (const std::bad_alloc&) {
        write_printable(level, text);
    }
    errno = saved;
}

}  // namespace

bool is_in_default_log() noexcept { return is_in_own_function; }

void info(std::string_view text) noexcept { write(log_level::info, text); }

void warning(std::string_view text) noexcept { write(log_level::warning, text); }

void error(std::string_view text) noexcept { write(log_level::error, text); }

void write_joined(log_level level, std::initializer_list<std::string_view> parts) noexcept {
    try {
        std::string text;
        for (const std::string_view each : parts) text += each;
        write(level, text);
    } catch (const std::bad_alloc&) {
        for (const std::string_view each : parts) write(level, each);
    }
}

}  // namespace log

void set_log(log_function function) {
    using namespace log;
    auto* const made = function ? new target{std::move(function)} : nullptr;
    mutex.lock();
    target* const replaced = std::exchange(current, made);
    mutex.unlock();
    if (replaced == nullptr) return;
    const int own_calls = replaced == running_here ? 1 : 0;
    for (mutex.lock(); replaced->calls > own_calls; mutex.lock()) {
        mutex.unlock();
        detail::sys::nap();
    }
    replaced->is_orphan = true;
    mutex.unlock();
    if (own_calls == 0) delete replaced;
}

}  // namespace coir
