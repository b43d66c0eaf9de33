#include "detect/finding/reporter.hpp"

#include "base/log.hpp"
#include "base/symbols.hpp"
#include "detect/finding/json.hpp"
#include "detect/finding/level.hpp"
#include "detect/finding/wording.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <span>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

constexpr int logged_a_minute = 20;  // locations; the others appear in the summary only
// Used as the time that fibers ran when a location is new: so early in a run, no total is a large share of it.
constexpr std::chrono::nanoseconds too_early_for_a_share = std::chrono::hours{24};
constexpr std::size_t frames_logged = 12;
constexpr std::size_t function_length = 120;
constexpr std::size_t locations_in_summary = 20;

std::vector<frame> frames_at(const void* return_address, const void* caller) {
    std::vector<frame> found;
    for (symbol& each : symbolise(return_address, caller)) {
        found.push_back({.function = std::move(each.function),
                         .file = std::move(each.file),
                         .line = each.line,
                         .module = std::move(each.module),
                         .offset = each.offset,
                         .plumbing = each.is_plumbing,
                         .address = return_address});
    }
    return found;
}

std::string current_folder() {
    std::error_code unknown;
    return std::filesystem::current_path(unknown).string();
}

/// Empty without a user's frame: the spawn site has a line of its own in the log.
std::string users_location(const finding& what) { return users_frame(what) == nullptr ? "" : location_text(what); }

/// The location, the headline and the remedy.
std::string line_text(const finding& what) {
    const std::string location = users_location(what);
    return (location.empty() ? "" : location + ": ") + headline(what) + "; " + remedy(what);
}

std::string log_text(const finding& what) {
    std::string text = line_text(what);
    if (!what.spawned_at.empty()) text += "\n  spawned at " + what.spawned_at;
    if (!what.test_case.empty()) text += "\n  in test case " + what.test_case;
    const std::span<const frame> stack = telling_part(what);
    if (!stack.empty()) text += "\n  stack:";
    for (frame each : stack.first(std::min(stack.size(), frames_logged))) {
        if (each.function.size() > function_length) each.function = each.function.substr(0, function_length) + "...";
        text += "\n    " + to_string(each);
    }
    if (stack.size() > frames_logged) text += "\n    ... and " + std::to_string(stack.size() - frames_logged) + " more";
    return text;
}

/// Unique among the runs of the process.
std::uint64_t next_id() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

blocking_report to_report(const finding& what, std::uint64_t id) {
    blocking_report made;
    made.id = id;
    made.kind = what.kind;
    made.level = what.level;
    made.category = what.category;
    made.call = what.call;
    made.held = std::chrono::nanoseconds{std::llround(what.max_ms * 1e6)};
    made.total = std::chrono::nanoseconds{std::llround(what.total_ms * 1e6)};
    made.count = what.count;
    made.fiber_id = what.fiber_id;
    if (what.fiber != '#' + std::to_string(what.fiber_id)) made.fiber_name = what.fiber;
    made.spawn_site = what.spawned_at;
    made.test_case = what.test_case;
    made.fingerprint = what.fingerprint;
    made.text = line_text(what);
    for (const frame& each : what.stack) {
        made.stack.push_back({.address = each.address,
                              .module = each.module,
                              .offset = each.offset,
                              .function = each.function,
                              .file = each.file,
                              .line = each.line});
    }
    return made;
}

}  // namespace

reporter::reporter(const settings& config, report_queue& program)
    : config_{config}, silent_{!config.records_folder.empty() && config.options.policy == blocking_policy::warn &&
                               config.report_path.empty() && !program.has_readers()},
      current_folder_{current_folder()}, source_{{.source_root = current_folder_}}, program_{program} {
    if (!config.options.suppressions.empty()) suppressed_ = suppressions{config.options.suppressions};
    if (!config.report_path.empty()) {
        file_ = unique_fd{::open(config.report_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)};
        if (!file_)
            throw std::system_error{errno, std::generic_category(), "COIR_BLOCKING_REPORT: " + config.report_path};
    }
}

void reporter::look_up(const blocking_event_table& seen, int begin) const {
    if (silent_) return;
    std::vector<const void*> addresses;
    blocking_event each;
    for (const int size = seen.size(); begin < size; ++begin) {
        seen.copy(begin, each);
        addresses.insert(addresses.end(), each.stack.frames.begin(), each.stack.frames.begin() + each.stack.depth);
        if (each.fiber.spawn_site != nullptr) addresses.push_back(each.fiber.spawn_site);
    }
    look_up_symbols(addresses);
}

const reporter::entry& reporter::add(const blocking_event& seen, const blocking_event_table& all) {
    entry& made = entries_.emplace_back();
    try {
        if (!silent_) describe(seen, all, made);
    } catch (...) {
        entries_.pop_back();  // the event will be added again
        throw;
    }
    return made;
}

void reporter::describe(const blocking_event& seen, const blocking_event_table& all, entry& made) {
    made.what = source_.from_event(seen, frames_at);
    if (suppressed_.match(made.what) != nullptr) return;
    made.key = location_key(made.what);
    known_location& here = location_of(made.what);
    if (made.what.level == blocking_level::error) {
        made.text = shorten(log_text(made.what));
        if (!std::exchange(here.logged, true) && may_log()) log::warning(made.text);
    }
    for (const finding& now : current_findings(all, too_early_for_a_share, made.key)) {
        if (!here.told || now.level > here.level) tell(now);
    }
}

reporter::known_location& reporter::location_of(const finding& what) {
    const auto [at, is_new] = locations_.try_emplace(location_key(what));
    if (is_new) at->second.id = next_id();
    return at->second;
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
    if (known.key.empty() || silent_) return;
    log::warning(fiber_text(known.what) + " still holds its thread after " + duration_text(in_milliseconds(held)) +
                 ", " + activity_text(known.what) +
                 "; if only another fiber of this thread can wake it, this is a deadlock");
}

void reporter::tell_changes(const blocking_event_table& seen, std::chrono::nanoseconds fibers_ran) {
    if (silent_) return;
    for (const finding& each : current_findings(seen, fibers_ran)) tell(each);
}

void reporter::finish(const blocking_event_table& seen, std::chrono::nanoseconds fibers_ran) {
    if (silent_) return;
    std::vector<finding> found = current_findings(seen, fibers_ran);
    for (const finding& each : found) {
        if (file_) append_line(to_json(each) + '\n');
        tell(each);
    }
    summarise(std::move(found), seen.left_out());
}

/// The findings that are not suppressed, with the numbers that the table has now; with a key, the one that has it.
std::vector<finding> reporter::current_findings(const blocking_event_table& seen, std::chrono::nanoseconds fibers_ran,
                                                const std::string& key) {
    blocking_event now;
    finding_set all;
    all.begin_run(in_milliseconds(fibers_ran));
    for (std::size_t index = 0; index < entries_.size(); ++index) {
        entry& each = entries_[index];
        if (each.key.empty() || (!key.empty() && each.key != key)) continue;
        seen.copy(static_cast<int>(index), now);
        each.what.count = now.count;
        each.what.max_ms = in_milliseconds(now.longest);
        each.what.total_ms = in_milliseconds(now.total);
        each.what.goes_on = now.goes_on;
        all.add(each.what);
    }
    std::vector<finding> found = all.take();
    for (finding& each : found) each.level = level_of(each);
    return found;
}

void reporter::tell(const finding& what) {
    known_location& here = location_of(what);
    if (here.told && here.count == what.count && here.total_ms == what.total_ms && here.level == what.level) return;
    here.told = true;
    here.count = what.count;
    here.total_ms = what.total_ms;
    here.level = what.level;
    if (program_.has_readers()) program_.push(to_report(what, here.id));
}

/// Writes the line with one write(2), so that lines of several processes do not mix.
void reporter::append_line(std::string line) {
    const ssize_t written = ::write(file_.get(), line.data(), line.size());
    if (written == static_cast<ssize_t>(line.size())) return;
    log::error("COIR_BLOCKING_REPORT: cannot write to " + config_.report_path + "; further reports are not written");
    file_ = unique_fd{};
}

void reporter::summarise(std::vector<finding> found, std::uint64_t left_out) {
    std::erase_if(found, [](const finding& each) { return each.level != blocking_level::error; });
    std::uint64_t count = 0;
    double total_ms = 0;
    for (const finding& each : found) {
        count += each.count;
        total_ms += each.total_ms;
    }
    const bool all_are_logged = logged_in_minute_ <= logged_a_minute;
    std::erase_if(found,
                  [&](const finding& each) { return each.count == 1 && all_are_logged && location_of(each).logged; });
    if (found.empty() && left_out == 0) return;
    std::ranges::sort(found, std::greater{}, &finding::total_ms);
    std::string text =
        "fibers held their thread " + std::to_string(count) + " times, for " + duration_text(total_ms) + " in total:";
    for (const finding& each : std::span{found}.first(std::min(found.size(), locations_in_summary))) {
        const std::string location = shorten(users_location(each));
        text += "\n  " + (location.empty() ? fiber_text(each) : location) + ", " + activity_text(each) + ": " +
                std::to_string(each.count) + " times, " + duration_text(each.total_ms) + ", the longest " +
                duration_text(each.max_ms);
    }
    if (found.size() > locations_in_summary) {
        text += "\n  and at " + std::to_string(found.size() - locations_in_summary) + " more locations";
    }
    if (left_out > 0)
        text += "\n  and " + std::to_string(left_out) + " times at locations that were not recorded: the limit is " +
                std::to_string(blocking_event_table::capacity) + " locations";
    log::warning(text);
}

std::string reporter::shorten(std::string text) const {
    if (current_folder_.size() < 2) return text;
    const std::string folder = current_folder_ + '/';
    for (std::size_t at = 0; (at = text.find(folder, at)) != text.npos;) text.erase(at, folder.size());
    return text;
}

}  // namespace coir::detail
