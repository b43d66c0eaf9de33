#include <coir/error.hpp>
#include <coir/gather.hpp>

namespace coir::detail {

void throw_no_result() { throw fiber_stopped{"a fiber ended by a stop, and its result is asked for"}; }

}  // namespace coir::detail
