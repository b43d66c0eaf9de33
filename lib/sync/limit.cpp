#include <coir/limit.hpp>

#include <stdexcept>

namespace coir {

limit::limit(std::size_t most) : at_once{most} {
    if (most == 0) throw std::invalid_argument{"coir::limit: the limit must be at least 1"};
}

}  // namespace coir
