#pragma once

#include <coir/deadline.hpp>
#include <coir/io/byte_stream.hpp>

#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <system_error>

namespace coir::io {

/// A file of the file system. All that may have to wait for a disk or a network's server is done by threads of the
/// offload pool, while this fiber is suspended: a disk that hangs holds up nobody else.
///
/// The calls throw `cancelled`, `scope_expired`, `timed_out`, `not_in_fiber` at once when that is due, and
/// `std::system_error` naming the path. What a thread has begun then comes to its end without them, on copies of all
/// that it touches: a read is dropped, and of a write that was cut short nobody knows whether it was made.
///
/// Move-only. Any number of fibers may read and write at offsets at the same time. `read_some`, `write_some` and their
/// like (`byte_source`, `byte_sink`) begin at `position` and move it on; they are for one fiber at a time.
///
/// @code
/// const auto path = std::filesystem::temp_directory_path() / ("coir-file-" + std::to_string(getpid()));
/// auto file = coir::io::file::create(path);
/// file.write_all("hello, world");
/// std::array<std::byte, 5> word;
/// if (file.read_at(7, word) != 5 || word[0] != std::byte{'w'}) throw std::logic_error{"file"};
/// file.close();
/// std::filesystem::remove(path);
/// @endcode
class file : public byte_source<file>, public byte_sink<file> {
public:
    static constexpr char type_name[] = "io::file";

    /// A closed one.
    file() noexcept = default;
    file(file&& other) noexcept = default;
    file& operator=(file&& other) noexcept = default;

    /// For reading.
    static file open(const std::filesystem::path& path, deadline until = never);

    /// For reading and writing: made where there is none, emptied where there is one.
    static file create(const std::filesystem::path& path, deadline until = never);

    /// For writing at its end, wherever that is when it is written; made where there is none.
    static file append(const std::filesystem::path& path, deadline until = never);

    /// As open(2), with O_CLOEXEC. A pipe, a socket or a directory is refused: `invalid_argument`, `is_a_directory`.
    static file open(const std::filesystem::path& path, int flags, mode_t permissions = 0666, deadline until = never);
    static file open(const std::filesystem::path& path, int flags, mode_t permissions, deadline until,
                     std::error_code& ec);

    /// Reads from `offset` on. Less than the size of `into` only at the end of the file. `position` stays.
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, std::span<std::byte> into, deadline until = never);
    std::size_t read_at(std::uint64_t offset, std::span<std::byte> into, deadline until, std::error_code& ec);

    /// Writes all of it to `offset` on. With `ec` how much was written before the failure (`no_space_on_device`).
    void write_at(std::uint64_t offset, std::span<const std::byte> from, deadline until = never);
    std::size_t write_at(std::uint64_t offset, std::span<const std::byte> from, deadline until, std::error_code& ec);

    /// Where `read_some` and `write_some` begin: 0 at first.
    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    void seek(std::uint64_t position) noexcept { position_ = position; }

    [[nodiscard]] std::uint64_t size(deadline until = never) const;

    /// Cuts the file there, or fills it up with zeros.
    void resize(std::uint64_t bytes, deadline until = never);

    /// Until what was written is on the disk (fsync(2)); without what readers do not need, as its times (fdatasync(2)).
    void sync(deadline until = never);
    void sync_data(deadline until = never);

    /// Closes it, and reports what only then comes to light (a full disk on a network's server). The destructor closes
    /// as well, and does not. What another fiber has begun comes to its end first.
    void close(deadline until = never);

    [[nodiscard]] bool is_open() const noexcept { return opened_ != nullptr; }

    /// For messages: its path, in quotes.
    [[nodiscard]] std::string subject() const;

    /// For fcntl(2) and its like; -1 when the file is closed.
    [[nodiscard]] int native_handle() const noexcept;

private:
    friend byte_source;
    friend byte_sink;
    struct opened_file;

    std::size_t receive(std::span<std::byte> into, const deadline& until, std::error_code& ec);
    std::size_t receive(mutable_buffers into, const deadline& until, std::error_code& ec);
    std::size_t send(std::span<const std::byte> from, const deadline& until, std::error_code& ec);
    std::size_t send(const_buffers from, const deadline& until, std::error_code& ec);

    [[nodiscard]] const std::shared_ptr<opened_file>& checked(const char* operation) const;

    std::shared_ptr<opened_file> opened_;  // shared with the threads that are at it
    std::uint64_t position_ = 0;
};

/// All that is in a file. Throws as the calls of `file`.
[[nodiscard]] std::string read_file(const std::filesystem::path& path, deadline until = never);

/// Gives a file this content, or leaves it as it was: whoever opens it sees the one or the other whole, also after a
/// crash. The content goes into a new file beside it, to the disk, and then into its place (rename(2)). It keeps its
/// permissions; a symbolic link stays one. Throws as the calls of `file`, and leaves nothing behind.
///
/// @code
/// const auto path = std::filesystem::temp_directory_path() / ("coir-replace-" + std::to_string(getpid()));
/// coir::io::replace_file(path, "settings");
/// if (coir::io::read_file(path) != "settings") throw std::logic_error{"replace"};
/// std::filesystem::remove(path);
/// @endcode
void replace_file(const std::filesystem::path& path, std::span<const std::byte> content, deadline until = never);
void replace_file(const std::filesystem::path& path, std::string_view content, deadline until = never);

}  // namespace coir::io
