#include <coir/detail/base/throw_if.hpp>
#include <coir/error.hpp>

namespace coir::detail {

void throw_error(const std::error_code& failure, std::string_view operation) {
    const std::string what{operation};
    // An expired deadline of coir has the generic category. ETIMEDOUT from the kernel (the peer does not answer) has
    // the system category and stays a std::system_error.
    if (failure == std::make_error_code(std::errc::timed_out)) throw timed_out{what.c_str()};
    throw std::system_error{failure, what};
}

}  // namespace coir::detail
