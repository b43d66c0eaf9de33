#include <coir/detail/base/throw_if.hpp>
#include <coir/error.hpp>

namespace coir::detail {

void throw_error(const std::error_code& failure, std::string_view operation) {
    const std::string what{operation};
    // Deadlines of ours end in the generic category, what the kernel says (a peer that does not answer) in the
    // system's.
    if (failure == std::make_error_code(std::errc::timed_out)) throw timed_out{what.c_str()};
    throw std::system_error{failure, what};
}

}  // namespace coir::detail
