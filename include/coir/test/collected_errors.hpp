#pragma once

#include <coir/blocking.hpp>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

/// @file Layer run.

namespace coir::test {

/// Collects what blocking detection reports as errors in all runs of the process, for a listener of a test framework that
/// fails test cases on the thread of the tests.
class collected_errors {
public:
    /// The only one; it collects from the first call on. Never destroyed: the detector's thread may still report.
    static collected_errors& of_process() {
        static auto& made = *new collected_errors;
        return made;
    }

    /// The texts of the reports since the last call. Every run that has ended has delivered its own.
    [[nodiscard]] std::vector<std::string> take() {
        const std::lock_guard lock{access_};
        return std::exchange(texts_, {});
    }

private:
    collected_errors() {
        set_blocking_listener([this](const blocking_report& what) {
            if (what.level != blocking_level::error) return;
            const std::lock_guard lock{access_};
            texts_.push_back(what.text);
        });
    }

    std::mutex access_;
    std::vector<std::string> texts_;
};

}  // namespace coir::test
