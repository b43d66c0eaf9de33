#include <coir/net/stream.hpp>

#include "base/sys.hpp"
#include "net/io.hpp"

namespace coir::net {

void stream::shutdown(shut which, std::error_code& ec) noexcept {
    ec = detail::error_of(detail::sys::shutdown(socket_.fd(), static_cast<int>(which)));
}

}  // namespace coir::net
