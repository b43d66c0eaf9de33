#pragma once

#include <string>

namespace coir::detail {

/// What to add to an error about a thread or a process that cannot be started with `error`; empty where there is
/// nothing to add. glibc (2.34) makes both with clone3(2), and goes back to clone(2) at ENOSYS alone: a seccomp filter
/// that is older than clone3, and answers EPERM, leaves a program without either.
std::string clone_refusal(int error);

}  // namespace coir::detail
