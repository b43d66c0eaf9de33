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

/// Places in memory, one behind the other, that a call fills or empties as if they were one (readv(2)). Of more than 16
/// a single transfer takes the first 16.
using mutable_buffers = std::span<const std::span<std::byte>>;
using const_buffers = std::span<const std::span<const std::byte>>;

/// What bytes can be read from: all that takes "any stream" asks for no more.
template <class S>
concept readable = requires(S& from, std::span<std::byte> into, deadline until) {
    { from.read_some(into, until) } -> std::convertible_to<std::size_t>;
};

/// What bytes can be written to.
template <class S>
concept writable = requires(S& to, std::span<const std::byte> from, deadline until) {
    to.write_all(from, until);
};

}  // namespace coir::io

namespace coir::detail {

/// What is left of several places once the first `done` bytes of them are.
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

/// Has `some` transfer one part after the other, given how much is done and saying how much it did, until all is done,
/// one fails or one is empty: the stream has ended. How much was done, also in front of a failure.
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

/// Names the type and the call, and what it was made on, where the type tells by a `subject`.
template <class Stream> void throw_if(const std::error_code& failure, const Stream& stream, const char* call) {
    if (!failure) [[likely]]
        return;
    std::string name = std::string{Stream::type_name} + "::" + call;
    if constexpr (requires { stream.subject(); }) name += " " + stream.subject();
    throw_error(failure, name);
}

}  // namespace coir::detail

namespace coir::io {

/// The calls that read a stream of bytes, the same for all that has them: `net::tcp_stream`, `net::tls_stream`,
/// `io::reader` and their like.
///
/// They suspend the fiber until there is something to read, and let others run from time to time if there always is.
/// They throw `cancelled`, `scope_expired`, `timed_out` once `until` has passed, and `std::system_error` with what the
/// system says: `connection_reset`, `bad_file_descriptor` once closed, `operation_canceled` when it is closed
/// meanwhile, `operation_in_progress` where another fiber reads already. The overloads with a trailing
/// `std::error_code` report all but `cancelled` and `scope_expired` there, and return what was transferred.
///
/// Cut short, `read_some` has read nothing. `read_exactly` may have read a part: it is at the beginning of `into`, and
/// nothing is lost on the way, but only the overload with an error code says how much. Where a stop or a scope may come
/// between and the stream is to be used on, read by `read_some`.
template <class Self> class byte_source {
public:
    /// Waits until there is something to read, and reads what there is, up to the size of `into`. 0: the end of the
    /// stream.
    [[nodiscard]] std::size_t read_some(std::span<std::byte> into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = read_some(into, until, ec);
        detail::throw_if(ec, self(), "read_some");
        return n;
    }
    std::size_t read_some(std::span<std::byte> into, deadline until, std::error_code& ec) {
        return self().receive(into, until, ec);
    }

    /// The same into several places, by one system call where the stream has one for it.
    [[nodiscard]] std::size_t read_some(mutable_buffers into, deadline until = never) {
        std::error_code ec;
        const std::size_t n = read_some(into, until, ec);
        detail::throw_if(ec, self(), "read_some");
        return n;
    }
    std::size_t read_some(mutable_buffers into, deadline until, std::error_code& ec) {
        return self().receive(into, until, ec);
    }

    /// Fills `into`. Returns less than its size only where the stream ends before.
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

/// The calls that write a stream of bytes. They wait and throw as those of a `byte_source`; `broken_pipe` (never the
/// signal) where nobody reads any more.
///
/// Cut short, `write_some` has written nothing, and `write_all` perhaps a part: only the overload with an error code
/// says how much.
template <class Self> class byte_sink {
public:
    /// Waits until the system takes something, and returns how much it took.
    [[nodiscard]] std::size_t write_some(std::span<const std::byte> from, deadline until = never) {
        std::error_code ec;
        const std::size_t n = write_some(from, until, ec);
        detail::throw_if(ec, self(), "write_some");
        return n;
    }
    std::size_t write_some(std::span<const std::byte> from, deadline until, std::error_code& ec) {
        return self().send(from, until, ec);
    }
    [[nodiscard]] std::size_t write_some(std::string_view text, deadline until = never) {
        return write_some(std::as_bytes(std::span{text}), until);
    }

    /// The same from several places, by one system call where the stream has one for it.
    [[nodiscard]] std::size_t write_some(const_buffers from, deadline until = never) {
        std::error_code ec;
        const std::size_t n = write_some(from, until, ec);
        detail::throw_if(ec, self(), "write_some");
        return n;
    }
    std::size_t write_some(const_buffers from, deadline until, std::error_code& ec) {
        return self().send(from, until, ec);
    }

    /// Until the system has taken all.
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
