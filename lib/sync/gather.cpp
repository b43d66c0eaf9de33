#include <coir/error.hpp>
#include <coir/gather.hpp>

namespace coir::detail {

void throw_no_result() { throw fiber_stopped{"a fiber of the group was stopped and has no result"}; }

}  // namespace coir::detail
