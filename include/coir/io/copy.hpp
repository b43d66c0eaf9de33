#pragma once

/// @file Layer net: it also copies between sockets.

#include <coir/deadline.hpp>
#include <coir/detail/base/throw_if.hpp>
#include <coir/io/byte_stream.hpp>
#include <coir/io/file.hpp>
#include <coir/net/stream.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>

namespace coir::io {

/// Copies bytes from one stream to another until the first one ends, and returns their number. Neither stream is closed
/// or shut down. Between two connections, and from a file to a connection, the bytes do not pass through the program
/// (`net::stream::splice_to`, `net::stream::sendfile`). Throws what the streams throw. If the call is cut short, bytes
/// that were read but not yet written are lost.
///
/// @code
/// auto [out, in] = coir::io::pipe();
/// auto [other_out, other_in] = coir::io::pipe();
/// in.write_all("through two pipes");
/// in.close();
/// if (coir::io::copy(out, other_in) != 17) throw std::logic_error{"copy"};
/// @endcode
template <readable From, writable To> std::uint64_t copy(From& from, To& to, deadline until = never) {
    std::uint64_t copied = 0;
    if constexpr (std::derived_from<From, net::stream> && std::derived_from<To, net::stream>) {
        std::error_code ec;
        copied = from.splice_to(to, until, ec);
        // If no pipe could be created, nothing was read yet: the loop below copies through a buffer.
        if (ec != std::errc::too_many_files_open && ec != std::errc::too_many_files_open_in_system) {
            detail::throw_if(ec, "io::copy");
            return copied;
        }
    } else if constexpr (std::same_as<From, file> && std::derived_from<To, net::stream>) {
        constexpr std::uint64_t piece = 1 << 30;
        std::error_code ec;
        while (!ec) {
            const std::uint64_t n = to.sendfile(from.native_handle(), from.position(), piece, until, ec);
            from.seek(from.position() + n);
            copied += n;
            if (!ec && n == 0) return copied;
        }
        // sendfile(2) does not support all files, nor any offset of a file with O_DIRECT: the loop below continues.
        if (ec != std::errc::invalid_argument) detail::throw_error(ec, "io::copy");
    }
    constexpr std::size_t bytes = 64 << 10;
    const auto buffer = std::make_unique_for_overwrite<std::byte[]>(bytes);
    while (const std::size_t n = from.read_some(std::span{buffer.get(), bytes}, until)) {
        to.write_all(std::span<const std::byte>{buffer.get(), n}, until);
        copied += n;
    }
    return copied;
}

}  // namespace coir::io
