#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/base/throw_if.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace coir::io {

/// Several buffers that one call fills or empties in order, as if they were one (readv(2)). If there are more than 16,
/// a single transfer uses the first 16.
using mutable_buffers = std::span<const std::span<std::byte>>;
using const_buffers = std::span<const std::span<const std::byte>>;

/// A stream that bytes can be read from. Functions that take any stream require no more than this.
template <class S>
concept readable = requires(S& from, std::span<std::byte> into, deadline until) {
    { from.read_some(into, until) } -> std::convertible_to<std::size_t>;
};

/// A stream that bytes can be written to.
template <class S>
concept writable = requires(S& to, std::span<const std::byte> from, deadline until) {
    to.write_all(from, until);
};

}  // namespace coir::io

namespace coir::detail {

/// The rest of several buffers after their first `done` bytes; 16 buffers at most.
template <class Byte> class rest_of_buffers {
public:
    rest_of_buffers(std::span<const std::span<Byte>> all, std::size_t done) noexcept {
        for (const std::span<Byte> each : all) {
            const std::size_t passed = std::min(done, each.size());
            done -= passed;
            if (passed < each.size()) first_[count_++] = each.subspan(passed);
            if (count_ == first_.size()) break;
        }
    }

    [[nodiscard]] std::span<const std::span<Byte>> get() const noexcept { return std::span{first_}.first(count_); }

private:
    std::array<std::span<Byte>, 16> first_;
    std::size_t count_ = 0;
};

/// Calls `some(done)`, which transfers a part and returns its size, until all bytes are transferred, a call fails, or a
/// call transfers nothing (end of the stream). Returns how many bytes were transferred, also if a call failed.
template <class Some> std::size_t transfer_all(std::size_t all, std::error_code& ec, Some some) {
    std::size_t done = 0;
    ec.clear();
    while (done < all) {
        const std::size_t n = some(done);
        done += n;
        if (ec || n == 0) break;
    }
    return done;
}

template <class Byte> [[nodiscard]] bool all_empty(std::span<const std::span<Byte>> buffers) noexcept {
    return std::ranges::all_of(buffers, [](const std::span<Byte>& each) { return each.empty(); });
}

/// A call that is given no bytes to transfer waits for nothing. It only fails if the stream is closed.
template <class Stream> std::size_t transfer_nothing(const Stream& stream, std::error_code& ec) noexcept {
    ec = stream.is_open() ? std::error_code{} : std::make_error_code(std::errc::bad_file_descriptor);
    return 0;
}

/// Throws if `failure` is set. The text names the type and the call, and the object if the type has a `subject`.
template <class Stream> void throw_if(const std::error_code& failure, const Stream& stream, const char* call) {
    if (!failure) [[likely]]
        return;
    std::string name = std::string{Stream::type_name} + "::" + call;
    if constexpr (requires { stream.subject(); }) name += " " + stream.subject();
    throw_error(failure, name);
}

}  // namespace coir::detail

namespace coir::io {

/// The calls that read a stream of bytes. They are the same for all streams: `net::tcp_stream`, `net::tls_stream`,
/// `io::reader` and others.
///
/// They suspend the fiber until there is something to read. If there is always something to read, they still let other
/// fibers run from time to time. They throw `cancelled`, `scope_expired`, `timed_out` once `until` has passed, and
/// `std::system_error` with the error of the system: `connection_reset`; `bad_file_descriptor` if the stream is closed;
/// `operation_canceled` if it is closed during the call; `operation_in_progress` if another fiber is already reading.
/// The overloads with a trailing `std::error_code` store all errors except `cancelled` and `scope_expired` in it, and
/// return the number of transferred bytes.
///
/// A call is cut short if a stop, a timeout scope or `until` ends it. Then `read_some` has read nothing. `read_exactly`
/// may have read a part: it is at the beginning of `into`, and no byte is lost, but only the overload with an error
/// code returns how many bytes were read. If a stop or a timeout scope may interrupt the call and the stream is still
/// needed afterwards, use `read_some`.
template <class Self> class byte_source {
public:
    /// Waits until there is something to read, and reads what is available, up to the size of `into`. Returns 0 at the
    /// end of the stream, and at once if `into` is empty.
    [[nodiscard]] std::size_t read_some(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = read_some(into, until, ec);
        detail::throw_if(ec, self(), "read_some");
        return n;
    }
    std::size_t read_some(std::span<std::byte> into, deadline until, std::error_code& ec) {
        return into.empty() ? detail::transfer_nothing(self(), ec) : self().receive(into, until, ec);
    }

    /// The same into several buffers, with one system call if the stream supports it.
    [[nodiscard]] std::size_t read_some(mutable_buffers into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = read_some(into, until, ec);
        detail::throw_if(ec, self(), "read_some");
        return n;
    }
    std::size_t read_some(mutable_buffers into, deadline until, std::error_code& ec) {
        return detail::all_empty(into) ? detail::transfer_nothing(self(), ec) : self().receive(into, until, ec);
    }

    /// Fills `into`. Returns less than its size only if the stream ends before.
    [[nodiscard]] std::size_t read_exactly(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = read_exactly(into, until, ec);
        detail::throw_if(ec, self(), "read_exactly");
        return n;
    }
    std::size_t read_exactly(std::span<std::byte> into, deadline until, std::error_code& ec) {
        return detail::transfer_all(into.size(), ec,
                                    [&](std::size_t done) { return read_some(into.subspan(done), until, ec); });
    }

private:
    friend Self;
    byte_source() noexcept = default;

    Self& self() noexcept { return static_cast<Self&>(*this); }
};

/// The calls that write a stream of bytes. They wait and throw as those of a `byte_source`. They also throw
/// `broken_pipe` if the other end no longer reads; SIGPIPE is never raised.
///
/// If a call is cut short, `write_some` has written nothing. `write_all` may have written a part: only the overload
/// with an error code returns how many bytes.
template <class Self> class byte_sink {
public:
    /// Waits until the system accepts bytes, and returns how many it accepted; 0 at once if `from` is empty.
    [[nodiscard]] std::size_t write_some(std::span<const std::byte> from, deadline until = never) {
        std::error_code ec;
        const std::size_t n = write_some(from, until, ec);
        detail::throw_if(ec, self(), "write_some");
        return n;
    }
    std::size_t write_some(std::span<const std::byte> from, deadline until, std::error_code& ec) {
        return from.empty() ? detail::transfer_nothing(self(), ec) : self().send(from, until, ec);
    }
    [[nodiscard]] std::size_t write_some(std::string_view text, deadline until = never) {
        return write_some(std::as_bytes(std::span{text}), until);
    }

    /// The same from several buffers, with one system call if the stream supports it.
    [[nodiscard]] std::size_t write_some(const_buffers from, deadline until = never) {
        std::error_code ec;
        const std::size_t n = write_some(from, until, ec);
        detail::throw_if(ec, self(), "write_some");
        return n;
    }
    std::size_t write_some(const_buffers from, deadline until, std::error_code& ec) {
        return detail::all_empty(from) ? detail::transfer_nothing(self(), ec) : self().send(from, until, ec);
    }

    /// Waits until the system has accepted all bytes.
    void write_all(std::span<const std::byte> from, deadline until = never) {
        std::error_code ec;
        write_all(from, until, ec);
        detail::throw_if(ec, self(), "write_all");
    }
    std::size_t write_all(std::span<const std::byte> from, deadline until, std::error_code& ec) {
        return detail::transfer_all(from.size(), ec,
                                    [&](std::size_t done) { return write_some(from.subspan(done), until, ec); });
    }
    void write_all(std::string_view text, deadline until = never) { write_all(std::as_bytes(std::span{text}), until); }

    void write_all(const_buffers from, deadline until = never) {
        std::error_code ec;
        write_all(from, until, ec);
        detail::throw_if(ec, self(), "write_all");
    }
    std::size_t write_all(const_buffers from, deadline until, std::error_code& ec) {
        std::size_t all = 0;
        for (const std::span<const std::byte> each : from) all += each.size();
        return detail::transfer_all(all, ec, [&](std::size_t done) {
            return write_some(detail::rest_of_buffers<const std::byte>{from, done}.get(), until, ec);
        });
    }

private:
    friend Self;
    byte_sink() noexcept = default;

    Self& self() noexcept { return static_cast<Self&>(*this); }
};

}  // namespace coir::io
