#pragma once

#include <coir/detail/base/throw_if.hpp>
#include <coir/error.hpp>
#include <coir/exception_group.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string>
#include <system_error>

namespace coir::detail {

/// The base of exceptions that are the fault of a peer who connected to this server. `serve` does not report them.
struct peer_failure {};

template <class Error> struct caused_by_peer : Error, peer_failure { using Error::Error; };

/// As `throw_error`, with the exception marked as a `peer_failure`.
[[noreturn]] inline void throw_peer_failure(const std::error_code& failure, const std::string& operation) {
    if (failure == std::make_error_code(std::errc::timed_out)) throw caused_by_peer<timed_out>{operation.c_str()};
    throw caused_by_peer<std::system_error>{failure, operation};
}

/// Whether the other end of a connection no longer exists. shutdown(2) and getpeername(2) say `not_connected`; ETIMEDOUT
/// is the system's word for a peer that does not answer keep-alive probes, and not a deadline of coir.
inline bool is_peer_gone(const std::error_code& ec) noexcept {
    return ec == std::errc::connection_reset || ec == std::errc::broken_pipe || ec == std::errc::not_connected ||
           ec == std::errc::connection_aborted || ec == std::error_code{ETIMEDOUT, std::system_category()};
}

/// Whether a failure is everyday life for a server: the peer has gone, or is at fault. Of several failures, all must be.
inline bool is_caused_by_peer(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const peer_failure&) {
        return true;
    } catch (const std::system_error& one) {
        return is_peer_gone(one.code());
    } catch (const exception_group& several) {
        return std::ranges::all_of(several.failures(), is_caused_by_peer);
    } catch (...) {
        return false;
    }
}

}  // namespace coir::detail
