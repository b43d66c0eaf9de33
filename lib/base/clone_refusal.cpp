#include "base/clone_refusal.hpp"

#include "base/system_call.hpp"

#include <cerrno>
#include <sys/syscall.h>

namespace coir::detail {

std::string clone_refusal(int error) {
    // Too few arguments for any kernel: EINVAL where no filter stands in front of it.
    const bool is_by_filter = (error == EPERM || error == EINVAL) && system_call(SYS_clone3, 0L, 0L) == -error;
    if (!is_by_filter) return {};
    return " (a seccomp filter may answer clone3(2) with this error; with ENOSYS, the C library would use clone(2): "
           "update the container runtime, or allow clone3 in its profile)";
}

}  // namespace coir::detail
