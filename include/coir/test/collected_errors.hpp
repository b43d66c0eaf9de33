#pragma once

#include <coir/blocking.hpp>

#include <cstdint>
#include <map>
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
    /// The only one; it collects from the first call on. Never destroyed: a run may still report.
    static collected_errors& of_process() {
        static auto& made = *new collected_errors;
        return made;
    }

    /// The texts of the locations that were reported since the last call. Every run that has ended has delivered its own.
    [[nodiscard]] std::vector<std::string> take() {
        const std::lock_guard lock{access_};
        std::vector<std::string> all;
        for (auto& [id, text] : std::exchange(texts_, {})) all.push_back(std::move(text));
        return all;
    }

private:
    collected_errors() {
        set_blocking_listener([this](const blocking_report& what) {
            if (what.level != blocking_level::error) return;
            const std::lock_guard lock{access_};
            texts_[what.id] = what.text;
        });
    }

    std::mutex access_;
    std::map<std::uint64_t, std::string> texts_;  // by location
};

}  // namespace coir::test
