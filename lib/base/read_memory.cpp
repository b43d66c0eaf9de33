#include "base/read_memory.hpp"

#include "base/sys.hpp"
#include "base/unique_fd.hpp"

#include <fcntl.h>

namespace coir::detail {

bool read_memory(void* into, const void* from, std::size_t bytes) noexcept {
    int ends[2];
    if (sys::pipe(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
    const unique_fd out{ends[0]};
    const unique_fd in{ends[1]};
    const auto all = static_cast<long>(bytes);
    return sys::write(in.get(), from, bytes) == all && sys::read(out.get(), into, bytes) == all;
}

}  // namespace coir::detail
