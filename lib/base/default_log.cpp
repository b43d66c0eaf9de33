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

// The only file that sees spdlog: it takes seconds to compile, and its macros stay here.
namespace coir::log {

namespace {

struct appearance {
    spdlog::level::level_enum level;
    std::string_view colour;
};

appearance of(log_level level) noexcept {
    switch (level) {
    case log_level::info: return {spdlog::level::info, "\033[32m"};
    case log_level::warning: return {spdlog::level::warn, "\033[33m\033[1m"};
    case log_level::error: break;
    }
    return {spdlog::level::err, "\033[31m\033[1m"};
}

constinit bool registry_is_gone = false;  // under `mutex`

/// To be made after spdlog's registry, and so destroyed before it: exit(3) destroys that while other threads log.
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
    const auto [spdlogs, colour] = of(level);
    spdlog::details::log_msg message{"coir", spdlogs, {text.data(), text.size()}};
    spdlog::memory_buf_t line;
    const bool is_terminal = detail::sys::is_terminal(STDERR_FILENO);
    const std::lock_guard lock{mutex};
    // Never destroyed, as other threads log while the process exits.
    static auto& formatter = *new spdlog::pattern_formatter{"[%Y-%m-%d %H:%M:%S.%e] [%^%l%$] %n: %v"};
    formatter.format(message, line);
    std::string made{line.data(), line.size()};
    if (is_terminal && spdlog::details::os::is_color_terminal()) {
        made.insert(message.color_range_end, "\033[m");
        made.insert(message.color_range_start, colour);
    }
    return made;
}

/// Waits as long as a blocking descriptor does, and for some 0.1 s where a non-blocking one takes nothing more.
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
        logger->log(of(level).level, spdlog::string_view_t{text.data(), text.size()});
        return true;
    } catch (...) {
        return false;
    }  // a sink of the program's may throw anything
}

void write_to_standard_error(log_level level, std::string_view text) noexcept {
    const detail::sigpipe_blocked quiet;
    try {
        write_all(formatted(level, text));
    } catch (...) {
        // There is no memory for it.
        for (const std::string_view part : {std::string_view{"coir: "}, text, std::string_view{"\n"}}) write_all(part);
    }
}

}  // namespace coir::log
