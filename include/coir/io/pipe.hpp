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

/// How to transfer without putting the thread to sleep. Known from the descriptor when it is taken over.
enum class transfer_by : std::uint8_t {
    call,           // it is non-blocking, and epoll watches it
    call_dontwait,  // a socket that blocks: MSG_DONTWAIT
    thread,         // what else blocks: a thread of the offload pool, once there is something
    thread_at_once  // what is always ready: a regular file, /dev/null
};

}  // namespace coir::detail

namespace coir::io {

/// The end of something that bytes come from: a pipe, a terminal, a process's output, whatever a descriptor stands for.
/// Its calls are those of a `byte_source`. Move-only; the destructor closes it. Who may use it when is as with a
/// `net::stream`.
class reader : public byte_source<reader> {
public:
    static constexpr char type_name[] = "io::reader";

    /// A closed one.
    reader() noexcept = default;

    /// Takes over a descriptor that can be read from. One without O_NONBLOCK (fcntl(2)) is read by a thread of the
    /// offload pool once there is something to read; a regular file where its offset stands, and such a read is waited
    /// for whatever `until` says. Throws `std::system_error` (`bad_file_descriptor`, naming it) when there is none.
    explicit reader(int descriptor);

    /// Ends the waits of other fibers on it with `operation_canceled`. Never waits.
    void close() noexcept { fd_.close(); }

    /// Gives the descriptor away, open as it is. Ends waits as `close` does; -1 when it is closed.
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

/// The end of something that bytes go to. Its calls are those of a `byte_sink`; all else as with a `reader`.
class writer : public byte_sink<writer> {
public:
    static constexpr char type_name[] = "io::writer";

    /// A closed one.
    writer() noexcept = default;

    /// Takes over a descriptor that can be written to, as `reader` does.
    explicit writer(int descriptor);

    /// Ends the waits of other fibers on it with `operation_canceled`. Never waits.
    void close() noexcept { fd_.close(); }

    /// Gives the descriptor away, open as it is. Ends waits as `close` does; -1 when it is closed.
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

/// A pipe (pipe(7)): what is written to one end is read from the other; the reader's stream ends once the writer is
/// closed. Throws `std::system_error` (`too_many_files_open`).
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

/// The program's descriptors 0, 1 and 2, whatever they are: a terminal, a pipe, a file, a socket, /dev/null. They are
/// shared with other programs (the shell), so their O_NONBLOCK is left alone: these have descriptors of their own, made
/// by each call, and closing them closes nothing of the program's. A terminal that may not be opened again, and other
/// things that block, are read by a thread of the offload pool once there is something.
///
/// Nothing is buffered: what a `std::cin` has read ahead is not seen, and what `std::cout` still holds comes later.
/// Throws `std::system_error` (`bad_file_descriptor`) when the program was started without.
///
/// @code
/// auto out = coir::io::standard_output();
/// out.write_all("hello\n");
/// @endcode
[[nodiscard]] reader standard_input();
[[nodiscard]] writer standard_output();
[[nodiscard]] writer standard_error();

}  // namespace coir::io
