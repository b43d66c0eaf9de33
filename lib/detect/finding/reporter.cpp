#include "detect/finding/reporter.hpp"

#include "base/log.hpp"
#include "base/symbols.hpp"
#include "detect/calls/classes.hpp"
#include "detect/finding/json.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <span>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

constexpr int logged_a_minute = 20;  // locations; the others appear in the summary only
constexpr std::size_t frames_logged = 12;
constexpr std::size_t function_length = 120;
constexpr std::size_t locations_in_summary = 20;

std::string format_duration(std::chrono::nanoseconds length) {
    const double seconds = std::chrono::duration<double>(length).count();
    std::array<char, 32> text;
    if (seconds >= 1)
        std::snprintf(text.data(), text.size(), "%.3f s", seconds);
    else if (seconds >= 0.01)
        std::snprintf(text.data(), text.size(), "%.0f ms", seconds * 1e3);
    else
        std::snprintf(text.data(), text.size(), "%.2f ms", seconds * 1e3);
    return text.data();
}

/// The innermost frame of the program's own code. Null if the stack is unknown, or a tail call has replaced that frame.
const symbol* user_frame(std::span<const symbol> stack) {
    const auto first = [&](auto&& wanted) {
        const auto found = std::ranges::find_if(stack, wanted);
        return found == stack.end() ? nullptr : &*found;
    };
    const auto own = [](const symbol& each) { return !each.is_plumbing; };
    const auto with_source = [&](const symbol& each) {
        return own(each) && !each.file.empty() && !each.file.starts_with("/usr/");
    };
    if (const symbol* found = first(with_source)) return found;
    return first(own);
}

std::string describe_fiber(const blocking_report& report) {
    const std::string id = "fiber #" + std::to_string(report.fiber_id);
    return report.fiber_name.empty() ? id : id + " \"" + report.fiber_name + '"';
}

std::string describe_activity(const blocking_report& report) {
    if (report.kind == blocking_kind::hog) return "computing";
    const std::string call = report.call + " (" + std::string{to_string(report.category)} + ')';
    return (report.kind == blocking_kind::latent ? "in " : "asleep in ") + call;
}

std::string headline(const reporter::entry& made, const blocking_event& seen) {
    std::string text = made.location.empty() ? "" : made.location + ": ";
    text += describe_fiber(made.report);
    text += seen.goes_on ? " has held its thread for " : " held its thread for ";
    text += format_duration(seen.longest) + (seen.goes_on ? " so far, " : ", ") + describe_activity(made.report);
    if (seen.waits_for_itself) text += ": deadlock, because a fiber of this thread holds the mutex";
    return text.append("; ").append(advice_for(made.report.category, made.report.call));
}

std::string stack_text(std::span<const symbol> stack) {
    // The outermost frames are internal to coir and the same for all fibers.
    std::size_t count = stack.size();
    while (count > 0 && stack[count - 1].is_plumbing) --count;
    std::string text;
    for (const symbol& each : stack.first(std::min(count, frames_logged))) {
        text += "\n    " + (each.function.empty() ? "??" : each.function.substr(0, function_length));
        if (each.function.size() > function_length) text += "...";
        if (!each.file.empty())
            text += " at " + each.file + ':' + std::to_string(each.line);
        else if (!each.module.empty())
            text += " in " + each.module;
    }
    if (count > frames_logged) text += "\n    ... and " + std::to_string(count - frames_logged) + " more";
    return text;
}

}  // namespace

reporter::reporter(const settings& config)
    : config_{config}, silent_{!config.records_folder.empty() && config.options.policy == blocking_policy::warn &&
                               config.report_path.empty() && !config.options.on_report} {
    if (!config.options.suppressions.empty()) suppressed_ = suppressions{config.options.suppressions};
    if (!config.report_path.empty()) {
        file_ = unique_fd{::open(config.report_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)};
        if (!file_)
            throw std::system_error{errno, std::generic_category(), "COIR_BLOCKING_REPORT: " + config.report_path};
    }
    std::error_code unknown;
    const std::filesystem::path folder = std::filesystem::current_path(unknown);
    if (!unknown) current_folder_ = folder.string() + '/';
}

const reporter::entry& reporter::add(const blocking_event& seen) {
    entry& made = entries_.emplace_back();
    if (silent_) return made;
    blocking_report& report = made.report;
    report.kind = seen.kind;
    report.category = seen.category;
    report.call = seen.call.view();
    report.held = seen.longest;
    report.total = seen.total;
    report.count = seen.count;
    report.fiber_id = seen.fiber.id;
    report.fiber_name = seen.fiber.name();
    if (seen.fiber.spawn_site != nullptr) report.spawn_site = describe_call_site(seen.fiber.spawn_site);

    std::vector<symbol> stack;
    for (int i = 0; i < seen.stack.depth; ++i) {
        const void* const address = seen.stack.frames[static_cast<std::size_t>(i)];
        for (symbol& each : symbolise(address)) {
            report.stack.push_back({address, each.module, each.offset, each.function, each.file, each.line});
            stack.push_back(std::move(each));
        }
    }

    if (const symbol* user = user_frame(stack)) made.location = shorten(describe(*user));
    made.suppressed = suppressed_.match(report);
    made.text = headline(made, seen);
    if (!report.spawn_site.empty()) made.text += "\n  spawned at " + shorten(report.spawn_site);
    const std::string frames = stack_text(stack);
    if (!frames.empty()) made.text += "\n  stack:" + shorten(frames);
    if (made.suppressed || report.kind == blocking_kind::latent || !may_log()) return made;
    made.logged = true;
    log::warning(made.text);
    return made;
}

bool reporter::may_log() {
    const auto now = std::chrono::steady_clock::now();
    if (now - minute_began_ >= std::chrono::minutes{1}) {
        minute_began_ = now;
        logged_in_minute_ = 0;
    }
    return logged_in_minute_++ < logged_a_minute;
}

void reporter::remind(int index, std::chrono::nanoseconds held) {
    const entry& known = entries_[static_cast<std::size_t>(index)];
    if (known.suppressed || silent_) return;
    log::warning(describe_fiber(known.report) + " still holds its thread after " + format_duration(held) + ", " +
                 describe_activity(known.report) +
                 "; if only another fiber of this thread can wake it, this is a deadlock");
}

void reporter::finish(const blocking_event_table& seen) {
    if (silent_) return;
    blocking_event last;
    for (std::size_t index = 0; index < entries_.size(); ++index) {
        blocking_report& report = entries_[index].report;
        seen.copy(static_cast<int>(index), last);
        report.count = last.count;
        report.held = last.longest;
        report.total = last.total;
        if (!entries_[index].suppressed) deliver(report);
    }
    summarise(seen.left_out());
}

void reporter::deliver(const blocking_report& report) {
    if (file_) append_line(to_json(report) + '\n');
    if (!config_.options.on_report) return;
    try {
        config_.options.on_report(report);
    } catch (const std::exception& failure) {
        log::error(std::string{"blocking_options::on_report threw an exception: "} + failure.what());
    } catch (...) {
        log::error("blocking_options::on_report threw an exception that is not a std::exception");
    }
}

/// Writes the line with one write(2), so that lines of several processes do not mix.
void reporter::append_line(std::string line) {
    const ssize_t written = ::write(file_.get(), line.data(), line.size());
    if (written == static_cast<ssize_t>(line.size())) return;
    log::error("COIR_BLOCKING_REPORT: cannot write to " + config_.report_path + "; further reports are not written");
    file_ = unique_fd{};
}

void reporter::summarise(std::uint64_t left_out) {
    std::vector<const entry*> repeated;
    std::uint64_t count = 0;
    std::chrono::nanoseconds total{0};
    for (const entry& each : entries_) {
        if (each.suppressed || each.report.kind == blocking_kind::latent) continue;
        count += each.report.count;
        total += each.report.total;
        if (each.report.count > 1 || !each.logged) repeated.push_back(&each);
    }
    if (repeated.empty() && left_out == 0) return;
    std::ranges::sort(repeated, std::greater{}, [](const entry* each) { return each->report.total; });
    std::string text =
        "fibers held their thread " + std::to_string(count) + " times, for " + format_duration(total) + " in total:";
    for (std::size_t i = 0; i < std::min(repeated.size(), locations_in_summary); ++i) {
        const blocking_report& report = repeated[i]->report;
        text += "\n  " + (repeated[i]->location.empty() ? describe_fiber(report) : repeated[i]->location) + ", " +
                describe_activity(report) + ": " + std::to_string(report.count) + " times, " +
                format_duration(report.total) + ", the longest " + format_duration(report.held);
    }
    if (repeated.size() > locations_in_summary) {
        text += "\n  and at " + std::to_string(repeated.size() - locations_in_summary) + " more locations";
    }
    if (left_out > 0)
        text += "\n  and " + std::to_string(left_out) + " times at locations that were not recorded: the limit is " +
                std::to_string(blocking_event_table::capacity) + " locations";
    log::warning(text);
}

std::string reporter::shorten(std::string text) const {
    if (current_folder_.size() < 2) return text;
    for (std::size_t at = 0; (at = text.find(current_folder_, at)) != text.npos;)
        text.erase(at, current_folder_.size());
    return text;
}

}  // namespace coir::detail
