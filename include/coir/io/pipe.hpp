#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/io/polled_fd.hpp>
#include <coir/io/byte_stream.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>
#include <utility>

namespace coir::detail {

/// How to transfer without blocking the thread. Determined when the descriptor is taken over.
enum class transfer_by : std::uint8_t {
    call,           // non-blocking: a direct call; epoll waits
    call_dontwait,  // a blocking socket: a direct call with MSG_DONTWAIT
    thread,         // another blocking descriptor: a thread for files, once the descriptor is ready
    thread_at_once  // always ready (a regular file, /dev/null): a thread for files, at once
};

}  // namespace coir::detail

namespace coir::io {

/// The reading end of a pipe, of a terminal, of the output of a process, or of anything else that has a descriptor. Its
/// calls are those of a `byte_source`. Move-only; the destructor closes it. The rules for use by several fibers are
/// those of `net::stream`.
class reader : public byte_source<reader> {
public:
    static constexpr char type_name[] = "io::reader";

    /// A closed reader.
    reader() noexcept = default;

    /// Takes ownership of a descriptor that can be read from. A descriptor without O_NONBLOCK (fcntl(2)) is read by a
    /// thread for files once there is something to read. A regular file is read at its current offset; such a
    /// read is waited for even after `until` has passed. Throws `std::system_error` (`bad_file_descriptor`) that names
    /// the descriptor if it is not open.
    explicit reader(int descriptor);

    /// Closes the descriptor. Waits of other fibers on it end with `operation_canceled`. Never waits.
    void close() noexcept { fd_.close(); }

    /// Gives up ownership and returns the descriptor, still open; -1 if it is closed. Ends waits as `close` does.
    [[nodiscard]] int release() noexcept { return fd_.release(); }

    [[nodiscard]] bool is_open() const noexcept { return fd_.fd() >= 0; }
    [[nodiscard]] int native_handle() const noexcept { return fd_.fd(); }

private:
    friend byte_source;
    std::size_t receive(std::span<std::byte> into, const deadline& until, std::error_code& ec);
    std::size_t receive(mutable_buffers into, const deadline& until, std::error_code& ec);

    detail::polled_fd fd_;
    detail::transfer_by how_ = detail::transfer_by::call;
};

/// The writing end. Its calls are those of a `byte_sink`; otherwise as `reader`.
class writer : public byte_sink<writer> {
public:
    static constexpr char type_name[] = "io::writer";

    /// A closed writer.
    writer() noexcept = default;

    /// Takes ownership of a descriptor that can be written to, as `reader` does for reading.
    explicit writer(int descriptor);

    /// Closes the descriptor. Waits of other fibers on it end with `operation_canceled`. Never waits.
    void close() noexcept { fd_.close(); }

    /// Gives up ownership and returns the descriptor, still open; -1 if it is closed. Ends waits as `close` does.
    [[nodiscard]] int release() noexcept { return fd_.release(); }

    [[nodiscard]] bool is_open() const noexcept { return fd_.fd() >= 0; }
    [[nodiscard]] int native_handle() const noexcept { return fd_.fd(); }

private:
    friend byte_sink;
    std::size_t send(std::span<const std::byte> from, const deadline& until, std::error_code& ec);
    std::size_t send(const_buffers from, const deadline& until, std::error_code& ec);

    detail::polled_fd fd_;
    detail::transfer_by how_ = detail::transfer_by::call;
};

/// Creates a pipe (pipe(7)): what is written to the writer is read from the reader. The reader's stream ends once the
/// writer is closed. Throws `std::system_error` (`too_many_files_open`).
///
/// @code
/// auto [reader, writer] = coir::io::pipe();
/// auto talk = coir::spawn([&writer = writer] {
///     writer.write_all("hello");
///     writer.close();
/// });
/// std::array<std::byte, 100> text;
/// if (reader.read_exactly(text) != 5) throw std::logic_error{"pipe"};
/// @endcode
[[nodiscard]] std::pair<reader, writer> pipe();

}  // namespace coir::io
