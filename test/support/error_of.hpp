#pragma once

#include <system_error>

namespace coir::test {

/// The code of the `std::system_error` that `body` throws, as a standard condition; no error if it throws none.
template <class F> std::errc error_of(F&& body) {
    try {
        body();
    } catch (const std::system_error& thrown) {
        return static_cast<std::errc>(thrown.code().value());
    }
    return {};
}

}  // namespace coir::test
