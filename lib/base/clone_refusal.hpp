#pragma once

#include <string>

namespace coir::detail {

/// An explanation to append to the message when starting a thread or a process fails with `error`; empty if there is
/// nothing to explain. glibc 2.34 and later starts both with clone3(2) and falls back to clone(2) only on ENOSYS. A
/// seccomp filter that predates clone3 and answers EPERM therefore prevents the program from starting either.
std::string clone_refusal(int error);

}  // namespace coir::detail
