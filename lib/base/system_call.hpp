#pragma once

#include <type_traits>

namespace coir::detail {

extern "C" {
/// Makes a system call and returns the kernel's result: -errno for an error; errno is not changed. Its code is in the
/// section `coir_system_calls`, so that Syscall User Dispatch (prctl(2)) can allow calls from that address range. Not
/// noexcept: pthread_cancel(3) unwinds a thread out of it.
long coir_system_call(long a, long b, long c, long d, long e, long f, long number);
}

/// An argument of a system call, widened to a register.
template <class Value> long word_of(Value value) noexcept {
    if constexpr (std::is_pointer_v<Value>)
        return reinterpret_cast<long>(value);
    else if constexpr (std::is_null_pointer_v<Value>)
        return 0L;
    else
        return static_cast<long>(value);
}

/// The address in an argument of a system call.
inline const void* pointer_in(long word) noexcept { return reinterpret_cast<const void*>(word); }

/// The same with up to six arguments of any integer or pointer type.
template <class... Arguments> long system_call(long number, Arguments... arguments) {
    static_assert(sizeof...(arguments) <= 6, "a system call takes at most six arguments");
    const long all[6] = {word_of(arguments)...};
    return coir_system_call(all[0], all[1], all[2], all[3], all[4], all[5], number);
}

}  // namespace coir::detail
