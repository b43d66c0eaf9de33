#pragma once

#include <span>
#include <string>

namespace coir::faults {

/// A small program that uses one part of coir. Returns a text that says what it has seen, the same each time, or throws.
/// `folder` is empty at first, and again in the end.
/// Every failure of a fiber reaches the caller.
struct program {
    const char* name;
    std::string (*run)(const std::string& folder);
    /// What every run needs and no run changes, such as certificates: made once, before the runs are forked. Or null.
    void (*prepare)() = nullptr;
};

std::span<const program> all_programs();

}  // namespace coir::faults
