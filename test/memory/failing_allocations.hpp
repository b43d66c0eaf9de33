#pragma once

#include <functional>
#include <string>

namespace coir::test {

/// While it exists, allocations of the C++ program fail, on all threads or on all but this one.
class no_memory {
public:
    enum class of { all_threads, other_threads };
    explicit no_memory(of threads = of::all_threads) noexcept;
    ~no_memory();
    no_memory(const no_memory&) = delete;
    no_memory& operator=(const no_memory&) = delete;
};

/// Runs `body` in one child process after another: in the first one, the first allocation fails; in the second one, the
/// second; and so on, `step` at a time, until no allocation is left to fail. Returns the numbers of those that ended the
/// child; an exception that leaves `body` does not.
std::string deadly_allocations(const std::function<void()>& body, long step = 1);

}  // namespace coir::test
