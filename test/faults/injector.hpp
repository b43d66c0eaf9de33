#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <span>

/// Makes one call of the library fail. The linker's --wrap leads every call of calls.def that coir's objects make to a
/// wrapper, which counts it; operator new and malloc are replaced. Other libraries are not touched, except for their
/// memory.
namespace coir::faults {

/// How a call reports an error. `by_number` is a system call through the stub, which returns -errno.
enum class reports : unsigned char { by_number, sets_errno, returns_it, throws };

struct call {
    const char* name;
    reports how;
    long number;  // of a system call; else -1
    std::span<const int> errors;
};

/// calls.def, then the start of a thread, then `allocation`.
std::span<const call> all_calls();
std::size_t allocation();

constexpr std::size_t calls_max = 160;

/// The `nth` call of `call`, from 1, fails with `error`. 0: none fails.
struct fault {
    std::size_t call = 0;
    unsigned nth = 0;
    int error = 0;
};

/// In memory that processes share: a program under test may fork.
struct injection {
    fault planned;
    std::atomic<bool> armed{false};
    std::atomic<bool> done{false};     // the fault has happened
    std::atomic<bool> foreign{false};  // in an allocation of another library, whose error says what it likes
    std::array<std::atomic<unsigned>, calls_max> counts{};
};

/// From now on, calls of this process and its children are counted in `into`, while it is armed.
void inject(injection& into) noexcept;

/// Counts an allocation; whether it fails. `caller` is the address of the code that allocates.
bool allocation_fails(const void* caller) noexcept;

}  // namespace coir::faults
