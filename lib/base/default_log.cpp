#include "base/default_log.hpp"

#include "base/log_mutex.hpp"
#include "base/sigpipe_blocked.hpp"
#include "base/sys.hpp"

#include <spdlog/details/os.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <memory>
#include <mutex>
#include <string>
#include <unistd.h>

/// @file
/// The only file that includes spdlog, which takes seconds to compile and defines macros.

namespace coir::log {

namespace {

struct appearance {
    spdlog::level::level_enum level;
    std::string_view colour;
};

appearance appearance_of(log_level level) noexcept {
    switch (level) {
    case log_level::info: return {spdlog::level::info, "\033[32m"};
    case log_level::warning: return {spdlog::level::warn, "\033[33m\033[1m"};
    case log_level::error: break;
    }
    return {spdlog::level::err, "\033[31m\033[1m"};
}

constinit bool registry_is_gone = false;  // under `mutex`

/// Created after spdlog's registry and therefore destroyed before it: exit(3) destroys the registry while other threads
/// may still log.
struct registry_user {
    ~registry_user() {
        const std::lock_guard lock{mutex};
        registry_is_gone = true;
    }
};

std::shared_ptr<spdlog::logger> registered_logger() {
    const std::lock_guard lock{mutex};
    if (registry_is_gone) return nullptr;
    auto found = spdlog::get("coir");
    static const registry_user user;
    return found;
}

std::string formatted(log_level level, std::string_view text) {
    const auto [spdlog_level, colour] = appearance_of(level);
    spdlog::details::log_msg message{"coir", spdlog_level, {text.data(), text.size()}};
    spdlog::memory_buf_t line;
    const bool is_terminal = detail::sys::is_terminal(STDERR_FILENO);
    const std::lock_guard lock{mutex};
    // Never destroyed: other threads may log while the process exits.
    static auto& formatter = *new spdlog::pattern_formatter{"[%Y-%m-%d %H:%M:%S.%e] [%^%l%$] %n: %v"};
    formatter.format(message, line);
    std::string made{line.data(), line.size()};
    if (is_terminal && spdlog::details::os::is_color_terminal()) {
        made.insert(message.color_range_end, "\033[m");
        made.insert(message.color_range_start, colour);
    }
    return made;
}

/// A write to a blocking descriptor takes as long as it takes. If a non-blocking descriptor accepts no more, tries
/// again for about 0.1 s and then drops the rest.
void write_all(std::string_view rest) noexcept {
    for (int naps = 0; !rest.empty() && naps < 1'000;) {
        const long written = detail::sys::write(STDERR_FILENO, rest.data(), rest.size());
        if (written > 0) {
            rest.remove_prefix(static_cast<std::size_t>(written));
        } else if (written == -EAGAIN) {
            detail::sys::nap();
            ++naps;
        } else if (written != -EINTR) {
            return;
        }
    }
}

}  // namespace

bool write_to_spdlog(log_level level, std::string_view text) noexcept {
    try {
        const auto logger = registered_logger();
        if (logger == nullptr) return false;
        logger->log(appearance_of(level).level, spdlog::string_view_t{text.data(), text.size()});
        return true;
    } catch (...) {
        // A sink of the program may throw anything.
        return false;
    }
}

void write_to_standard_error(log_level level, std::string_view text) noexcept {
    const detail::sigpipe_blocked quiet;
    try {
        write_all(formatted(level, text));
    } catch (...) {
        // Formatting failed: out of memory.
        for (const std::string_view part : {std::string_view{"coir: "}, text, std::string_view{"\n"}}) write_all(part);
    }
}

}  // namespace coir::log
