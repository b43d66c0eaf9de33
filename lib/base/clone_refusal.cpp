#include "base/clone_refusal.hpp"

#include "base/system_call.hpp"

#include <cerrno>
#include <sys/syscall.h>

namespace coir::detail {

std::string clone_refusal(int error) {
    // A size of 0 is too small for every kernel: without a filter, the call fails with EINVAL.
    const bool is_by_filter = (error == EPERM || error == EINVAL) && system_call(SYS_clone3, 0L, 0L) == -error;
    if (!is_by_filter) return {};
    return " (a seccomp filter may refuse clone3(2) with this error; the C library falls back to clone(2) only on "
           "ENOSYS: update the container runtime, or allow clone3 in its profile)";
}

}  // namespace coir::detail
