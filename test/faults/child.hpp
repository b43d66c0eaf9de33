#pragma once

#include "faults/injector.hpp"
#include "faults/programs.hpp"
#include "support/temporary_folder.hpp"

#include <array>
#include <chrono>
#include <span>
#include <string>
#include <sys/types.h>

namespace coir::faults {

/// What a run without a fault does.
struct expectation {
    std::string result;
    std::string descriptors;  // the kinds of the open descriptors at the end, sorted
    std::array<unsigned, calls_max> counts{};
};

struct outcome {
    std::string failure;  // empty: the program has survived
    bool injected = false;
};

/// One run of a program in a process of its own, with a time limit.
class child {
public:
    child();
    ~child();
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    /// `expected` may be null: then the result is not judged.
    void start(const program& of, const fault& planned, const expectation* expected);
    [[nodiscard]] bool has_ended();
    outcome take();
    outcome wait();
    /// Of the last run.
    [[nodiscard]] expectation seen() const;

    [[nodiscard]] int pidfd() const noexcept { return pidfd_; }

private:
    struct shared;

    [[noreturn]] void be_the_child(const program& of, const expectation* expected);
    [[nodiscard]] std::string end_of_log() const;
    [[nodiscard]] std::string what_is_left();

    shared* shared_;
    int log_;
    test::temporary_folder folder_;
    pid_t process_ = 0;
    int pidfd_ = -1;
    int status_ = 0;
    bool killed_ = false;
    std::chrono::steady_clock::time_point until_{};
};

/// Waits until a child may have ended.
void wait_for_any(std::span<child> children);

/// The same in this process, for a debugger.
int run_here(const program& of, const fault& planned);

std::string name_of_error(int error);
std::string one_line(std::string text);

}  // namespace coir::faults
