#pragma once

#include <coir/deadline.hpp>
#include <coir/io/byte_stream.hpp>
#include <coir/net/stream.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <cstddef>
#include <map>
#include <mutex>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>

/// @file
/// Adapts coir's streams to code that is written for the streams of Boost.Asio. This is the optional part `coir::asio`:
/// header only, needs Boost's headers (find_package(coir COMPONENTS asio)).

namespace coir::detail {

#pragma GCC diagnostic push
// Boost's base class has no virtual destructor; nothing is deleted through a pointer to it.
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
/// Wraps an error category of the standard library as one of Boost. Not all versions of Boost can store a standard
/// category in their error codes.
class boost_category final : public boost::system::error_category {
public:
    explicit boost_category(const std::error_category& of) noexcept : of_{of} {}
    [[nodiscard]] const char* name() const noexcept override { return of_.name(); }
    [[nodiscard]] std::string message(int code) const override { return of_.message(code); }

    static const boost_category& of(const std::error_category& category) {
        static std::mutex mutex;
        static std::map<const std::error_category*, boost_category> all;
        const std::lock_guard lock{mutex};
        return all.try_emplace(&category, category).first->second;
    }

private:
    const std::error_category& of_;
};
#pragma GCC diagnostic pop

inline boost::system::error_code boost_error(const std::error_code& failure) {
    if (!failure) return {};
    if (failure.category() == std::system_category() || failure.category() == std::generic_category())
        return {failure.value(), boost::system::system_category()};
    return {failure.value(), boost_category::of(failure.category())};
}

/// The first 16 non-empty buffers of an Asio buffer sequence, as spans.
template <class Byte> class buffer_spans {
public:
    template <class Buffers> explicit buffer_spans(const Buffers& buffers) {
        const auto end = boost::asio::buffer_sequence_end(buffers);
        for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end && count_ < all_.size(); ++at) {
            const std::conditional_t<std::is_const_v<Byte>, boost::asio::const_buffer, boost::asio::mutable_buffer>
                each{*at};
            if (each.size() > 0) all_[count_++] = {static_cast<Byte*>(each.data()), each.size()};
        }
    }

    [[nodiscard]] std::span<const std::span<Byte>> get() const noexcept { return std::span{all_}.first(count_); }

private:
    std::array<std::span<Byte>, 16> all_{};
    std::size_t count_ = 0;
};

}  // namespace coir::detail

namespace coir::net {

/// Gives a stream the calls of Boost.Asio's synchronous streams (SyncReadStream, SyncWriteStream). The synchronous
/// algorithms of Boost.Beast (`http::read`, `http::write`, `websocket::stream`) and of Asio then run in fibers without
/// changes: a call that would block the thread suspends only the fiber.
///
/// `Stream` is a `tcp_stream`, `tls_stream` or `unix_stream`, which the adapter owns, or a reference to one. The errors
/// are those of the stream, converted to Boost's types, and `boost::asio::error::eof` at the end of the stream. They
/// are returned in the `error_code` or thrown as a `boost::system::system_error`. `cancelled` and `scope_expired` pass
/// through the algorithms. The rules for concurrent use are those of the stream.
///
/// @code
/// #include <boost/asio/read_until.hpp>
/// #include <coir/net/asio.hpp>
/// #include <coir/net/asio.hpp>
/// auto [near, far] = coir::net::unix_stream::pair();
/// far.write_all("first line\nsecond line\n");
/// coir::net::asio_stream stream{std::move(near)};
/// std::string text;
/// if (boost::asio::read_until(stream, boost::asio::dynamic_buffer(text), '\n') != 11) throw std::logic_error{"line"};
/// @endcode
template <class Stream> class asio_stream {
public:
    using next_layer_type = std::remove_reference_t<Stream>;

    /// For templates that require an executor type. Nothing ever runs on it.
    using executor_type = boost::asio::io_context::executor_type;

    explicit asio_stream(Stream&& stream) noexcept : stream_{std::forward<Stream>(stream)} {}

    [[nodiscard]] next_layer_type& next_layer() noexcept { return stream_; }
    [[nodiscard]] const next_layer_type& next_layer() const noexcept { return stream_; }

    /// Sets a deadline for all later calls: once it has passed, they fail with `boost::asio::error::timed_out`.
    void expires_at(deadline until) noexcept { until_ = until; }
    [[nodiscard]] deadline expiry() const noexcept { return until_; }

    template <class Buffers> std::size_t read_some(const Buffers& into, boost::system::error_code& ec) {
        const detail::buffer_spans<std::byte> spans{into};
        ec = {};
        if (spans.get().empty()) return 0;
        std::error_code failure;
        const bool is_one = spans.get().size() == 1;
        const std::size_t n = is_one ? stream_.read_some(spans.get().front(), until_, failure)
                                     : stream_.read_some(spans.get(), until_, failure);
        ec = detail::boost_error(failure);
        if (!ec && n == 0) ec = boost::asio::error::eof;
        return n;
    }

    template <class Buffers> std::size_t read_some(const Buffers& into) {
        boost::system::error_code ec;
        const std::size_t n = read_some(into, ec);
        if (ec) throw boost::system::system_error{ec, "asio_stream::read_some"};
        return n;
    }

    template <class Buffers> std::size_t write_some(const Buffers& from, boost::system::error_code& ec) {
        const detail::buffer_spans<const std::byte> spans{from};
        ec = {};
        if (spans.get().empty()) return 0;
        std::error_code failure;
        const bool is_one = spans.get().size() == 1;
        const std::size_t n = is_one ? stream_.write_some(spans.get().front(), until_, failure)
                                     : stream_.write_some(spans.get(), until_, failure);
        ec = detail::boost_error(failure);
        return n;
    }

    template <class Buffers> std::size_t write_some(const Buffers& from) {
        boost::system::error_code ec;
        const std::size_t n = write_some(from, ec);
        if (ec) throw boost::system::system_error{ec, "asio_stream::write_some"};
        return n;
    }

    [[nodiscard]] executor_type get_executor() const noexcept {
        static boost::asio::io_context never_run;
        return never_run.get_executor();
    }

private:
    Stream stream_;
    deadline until_;
};

template <class Stream> asio_stream(Stream&&) -> asio_stream<Stream>;

/// Ends a WebSocket connection. Boost.Beast requires a function of this name. Shuts down the write direction. A client
/// then waits for the server to close the connection (RFC 6455, section 7.1.1), at most until the deadline of
/// `expires_at`.
template <class Stream>
void teardown(boost::beast::role_type role, asio_stream<Stream>& stream, boost::system::error_code& ec) {
    std::error_code failure;
    if constexpr (requires { stream.next_layer().shutdown(stream.expiry(), failure); })
        stream.next_layer().shutdown(stream.expiry(), failure);
    else
        stream.next_layer().shutdown(shut::write, failure);
    ec = detail::boost_error(failure);
    std::array<char, 512> rest;
    while (!ec && role == boost::beast::role_type::client) stream.read_some(boost::asio::buffer(rest), ec);
    if (ec == boost::asio::error::eof) ec = {};
}

}  // namespace coir::net
