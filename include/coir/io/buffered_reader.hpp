#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/let_others_run.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace coir::io {

/// Reads a stream by lines, up to a delimiter, or a number of bytes. It reads ahead: from then on, read the stream only
/// through this object. If a stop, a timeout scope or a deadline cuts a wait short, no bytes are lost: the next call
/// continues with them.
///
/// `Stream` has `read_some(std::span<std::byte>, deadline)`, as `net::tcp_stream` does. The stream is not owned, and
/// must outlive the reader. The calls throw what the stream throws. The views that they return refer to the reader's
/// buffer, and are valid until the next call.
///
/// @code
/// auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
/// auto client = coir::net::tcp_stream::connect(listener.local_endpoint());
/// client.write_all("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
/// auto server = listener.accept();
/// coir::io::buffered_reader request{server};
/// int lines = 0;
/// while (auto line = request.read_line()) {
///     if (line->empty()) break;
///     ++lines;
/// }
/// if (lines != 2) throw std::logic_error{"lines"};
/// @endcode
template <class Stream> class buffered_reader {
public:
    /// At most `limit` bytes are buffered; a call that needs more fails.
    explicit buffered_reader(Stream& from, std::size_t limit = std::size_t{64} << 10) noexcept
        : from_{from}, limit_{limit} {}

    buffered_reader(const buffered_reader&) = delete;
    buffered_reader& operator=(const buffered_reader&) = delete;

    /// Returns the bytes up to the delimiter, delimiter included. Returns what is left if the stream ends before, and
    /// an empty view if nothing is left. `delimiter` must not be empty. Throws also `std::system_error` with
    /// `message_size` if the delimiter is not found within the limit; then no bytes are taken.
    [[nodiscard]] std::string_view read_until(std::string_view delimiter, deadline until = never) {
        std::size_t searched = 0;
        for (;;) {
            const std::size_t found = held().find(delimiter, searched);
            if (found != std::string_view::npos && found + delimiter.size() <= limit_)
                return take(found + delimiter.size());
            // The buffer may end with the beginning of a delimiter.
            searched = held().size() - std::min(held().size(), delimiter.size() - 1);
            if (!read_more("read_until", until)) return take(held().size());
        }
    }

    /// The next line, without its end (\n or \r\n); the last line may have none. A \r alone ends no line. Empty once the
    /// stream has ended.
    /// Throws as `read_until`.
    [[nodiscard]] std::optional<std::string_view> read_line(deadline until = never) {
        std::string_view line = read_until("\n", until);
        if (line.empty()) return std::nullopt;
        if (!line.ends_with('\n')) return line;  // the last one: a \r belongs to it
        line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
        return line;
    }

    /// Returns `count` bytes, or fewer if the stream ends before. Throws as `read_until` if `count` exceeds the limit.
    [[nodiscard]] std::string_view read_exactly(std::size_t count, deadline until = never) {
        if (count > limit_) refuse("read_exactly");
        while (held().size() < count) {
            if (!read_more("read_exactly", until)) break;
        }
        return take(std::min(count, held().size()));
    }

    /// Copies buffered bytes, or reads the next ones from the stream, up to the size of `into`. Returns 0 at the end of
    /// the stream.
    [[nodiscard]] std::size_t read_some(std::span<std::byte> into, deadline until = never) {
        if (into.empty()) return 0;
        if (held().empty()) return from_.read_some(into, until);
        const std::string_view taken = take(std::min(into.size(), held().size()));
        std::ranges::copy(std::as_bytes(std::span{taken}), into.begin());
        return taken.size();
    }

    /// The number of bytes that were read ahead.
    [[nodiscard]] std::size_t buffered() const noexcept { return end_ - begin_; }

private:
    [[nodiscard]] std::string_view held() const noexcept { return {buffer_.data() + begin_, end_ - begin_}; }

    [[nodiscard]] std::string_view take(std::size_t count) noexcept {
        const std::string_view taken = held().substr(0, count);
        begin_ += count;
        detail::let_others_run();
        return taken;
    }

    [[noreturn]] void refuse(const char* operation) const {
        throw std::system_error{std::make_error_code(std::errc::message_size),
                                std::string{"buffered_reader::"} + operation + ": the data exceeds the limit of " +
                                    std::to_string(limit_) + " bytes: pass a higher limit to the constructor"};
    }

    /// Returns false at the end of the stream.
    bool read_more(const char* operation, deadline until) {
        if (buffered() > limit_) refuse(operation);
        make_room();
        const std::span room{buffer_.data() + end_, buffer_.size() - end_};
        const std::size_t n = from_.read_some(std::as_writable_bytes(room), until);
        end_ += n;
        return n > 0;
    }

    /// Makes room to read. The buffer may hold one byte more than the limit, because only a further read shows whether
    /// the stream has ended.
    void make_room() {
        if (begin_ > 0) {
            std::copy(buffer_.data() + begin_, buffer_.data() + end_, buffer_.data());
            end_ -= begin_;
            begin_ = 0;
        }
        constexpr std::size_t least = 4096;
        if (end_ == buffer_.size()) buffer_.resize(std::min(limit_, std::max(least, 2 * end_)) + 1);
    }

    Stream& from_;
    const std::size_t limit_;
    std::string buffer_;  // the unread bytes are those from `begin_` to `end_`
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace coir::io
