#pragma once

#include <coir/detail/base/throw_if.hpp>
#include <coir/net/endpoint.hpp>

#include <string>
#include <string_view>
#include <system_error>

namespace coir::detail {

/// As `endpoint::local`, with errors in `ec`.
inline net::endpoint at_path(std::string_view path, std::error_code& ec) {
    return net::endpoint::parse("unix:" + std::string{path}, ec);
}

[[noreturn]] inline void throw_naming(const std::error_code& ec, const char* operation, std::string_view path) {
    throw_error(ec, std::string{operation} + " '" + std::string{path} + "'");
}

}  // namespace coir::detail
