#pragma once

#include <coir/blocking.hpp>
#include <coir/run.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>
#include <vector>

namespace coir::test {

/// Collects the reports of runs: the last one of each location. All of them have arrived when `run` returns.
class reports {
public:
    explicit reports(blocking_options how = {}) : how_{std::move(how)} {
        how_.on_report = [this](const blocking_report& report) {
            const auto known = std::ranges::find(all_, report.id, &blocking_report::id);
            if (known == all_.end())
                all_.push_back(report);
            else
                *known = report;
        };
    }

    /// Options of a run that reports to this object.
    [[nodiscard]] run_options options() const {
        run_options made;
        made.blocking = how_;
        return made;
    }

    [[nodiscard]] const std::vector<blocking_report>& all() const noexcept { return all_; }

    /// The reports of a kind, for a call.
    [[nodiscard]] std::vector<blocking_report> of(blocking_kind kind, const std::string& call) const {
        std::vector<blocking_report> found;
        std::ranges::copy_if(all_, std::back_inserter(found),
                             [&](const blocking_report& each) { return each.kind == kind && each.call == call; });
        return found;
    }
    [[nodiscard]] std::vector<blocking_report> blocked(const std::string& call) const {
        return of(blocking_kind::blocked, call);
    }
    [[nodiscard]] std::vector<blocking_report> hogs() const { return of(blocking_kind::hog, ""); }

private:
    blocking_options how_;
    std::vector<blocking_report> all_;
};

/// Computes until the calling thread has used this much processor time.
[[gnu::noinline]] inline void burn(std::chrono::nanoseconds length) {
    const auto spent = [] {
        timespec now{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
    };
    const auto end = spent() + length;
    volatile unsigned sum = 0;
    while (spent() < end) {
        for (unsigned i = 0; i < 20'000; ++i) sum = sum + i;
    }
}

/// Sets an environment variable during its lifetime.
class variable {
public:
    variable(const char* name, const std::string& value) : name_{name} { ::setenv(name, value.c_str(), 1); }
    ~variable() { ::unsetenv(name_); }
    variable(const variable&) = delete;
    variable& operator=(const variable&) = delete;

private:
    const char* name_;
};

/// A file with the given content; the destructor removes it.
class temporary_file {
public:
    explicit temporary_file(const std::string& content = {});
    ~temporary_file();
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string content() const;

private:
    std::string path_;
};

}  // namespace coir::test
