#include "faults/verdict.hpp"

#include <coir/error.hpp>
#include <coir/exception_group.hpp>

#include "support/text.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <filesystem>
#include <netdb.h>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

namespace coir::faults {

namespace {

using test::contains;

void collect(std::vector<failure>& into, const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const exception_group& group) {
        for (const auto& each : group.failures()) collect(into, each);
    } catch (const std::system_error& error) {
        into.push_back({error.code().value(), error.what()});
    } catch (const std::bad_alloc& error) {
        into.push_back({ENOMEM, error.what()});
    } catch (const std::exception& error) {
        into.push_back({0, error.what()});
    } catch (...) {
        into.push_back({0, "something that is no std::exception"});
    }
}

/// "pipe", "socket", "anon_inode:[eventpoll]", sorted: numbers differ from run to run.
std::string kinds_of_descriptors() {
    std::vector<std::string> kinds;
    for (const auto& each : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone;
        std::string target = std::filesystem::read_symlink(each.path(), gone).string();
        if (gone || target.starts_with("/proc/")) continue;
        if (target.starts_with("pipe:") || target.starts_with("socket:")) target.resize(target.find(':'));
        kinds.push_back(std::move(target));
    }
    std::sort(kinds.begin(), kinds.end());
    std::string all;
    for (const auto& each : kinds) all += each + '\n';
    return all;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        lines.push_back(text.substr(at, end - at));
        at = end == std::string::npos ? text.size() : end + 1;
    }
    return lines;
}

/// The open descriptors that a run without a fault does not leave.
std::string leaked(const std::string& descriptors, const std::string& expected) {
    const auto ours = lines_of(descriptors);
    const auto theirs = lines_of(expected);
    std::vector<std::string> more;
    std::set_difference(ours.begin(), ours.end(), theirs.begin(), theirs.end(), std::back_inserter(more));
    std::string all;
    for (const auto& each : more) all += (all.empty() ? "" : ", ") + each;
    return all;
}

/// Whether the exception is about memory. pthread_create(3) says EAGAIN.
bool is_about_memory(const failure& thrown) {
    if (thrown.code == ENOMEM || thrown.code == EAI_MEMORY || thrown.code == EAGAIN) return true;
    return contains(thrown.text, "emory") || contains(thrown.text, "alloc");
}

/// Whether the exception is about this error, and says more than the error's own text.
bool is_clear(const failure& thrown, const fault& planned) {
    if (planned.call == allocation()) return is_about_memory(thrown);
    // One end of a connection that is gone may report it before the other.
    const auto is_gone = [](int code) { return code == ECONNRESET || code == EPIPE || code == ETIMEDOUT; };
    if (is_gone(planned.error) && (is_gone(thrown.code) || contains(thrown.text, "unexpected eof"))) return true;
    // Memory that is refused, for any reason, is std::bad_alloc.
    if (thrown.code == ENOMEM && std::string_view{all_calls()[planned.call].name} == "mmap()") return true;
    const std::string text = planned.error < 0 ? ::gai_strerror(planned.error) : ::strerror(planned.error);
    if (thrown.code != planned.error && !contains(thrown.text, text)) return false;
    return thrown.text.size() > text.size() + 2 || thrown.code == ENOMEM;
}

}  // namespace

judged_run run_judged(const program& of, const std::string& folder, injection& injected) {
    judged_run run;
    std::exception_ptr thrown;
    inject(injected);
    injected.armed = true;
    try {
        run.result = of.run(folder);
        run.returned = true;
    } catch (...) {
        thrown = std::current_exception();
    }
    injected.armed = false;
    if (thrown != nullptr) collect(run.errors, thrown);
    run.foreign = injected.foreign;
    run.descriptors = kinds_of_descriptors();
    return run;
}

std::string judge(const judged_run& run, const expectation& expected, const fault& planned, const std::string& log) {
    // Abandoned work on threads may still have some open.
    std::string more = leaked(run.descriptors, expected.descriptors);
    for (int tries = 0; !more.empty() && tries < 1000; ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
        more = leaked(kinds_of_descriptors(), expected.descriptors);
    }
    if (!more.empty()) return "leaks descriptors: " + more;
    if (run.returned) return run.result == expected.result ? "" : "wrong result: " + one_line(run.result);
    if (run.foreign && !run.errors.empty()) return "";
    const auto clear = [&](const failure& each) { return is_clear(each, planned); };
    if (std::any_of(run.errors.begin(), run.errors.end(), clear) || is_clear({0, log}, planned)) return "";
    std::string all = "unclear error:";
    for (const auto& each : run.errors) all += " [" + std::to_string(each.code) + "] " + each.text + ';';
    return all;
}

}  // namespace coir::faults
