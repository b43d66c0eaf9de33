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

/// A file of the file system. Operations that may wait for a disk or a network file server run in threads that coir
/// keeps for files (up to 64), while this fiber is suspended: a disk that hangs does not block other fibers. A call that
/// was interrupted or has timed out no longer counts in that limit, and does not delay the end of the program.
///
/// The calls throw `cancelled`, `scope_expired`, `timed_out` and `not_in_fiber` as soon as these are due, and
/// `std::system_error` that names the path. An operation that a thread has already begun then runs to its end, on
/// copies of all its data. The result of such a read is dropped; whether such a write was made is unknown.
///
/// With a limit of 0, or one that has passed, an operation is begun too. The call succeeds if a thread has done it by
/// the time that this fiber looks, and throws `timed_out` otherwise, which is likely.
///
/// Move-only. Any number of fibers may read and write at offsets at the same time. `read_some`, `write_some` and the
/// other calls of `byte_source` and `byte_sink` begin at `position` and advance it; one fiber at a time may use them.
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

    /// A closed file.
    file() noexcept = default;
    file(file&& other) noexcept = default;
    file& operator=(file&& other) noexcept = default;

    /// Opens a file for reading.
    static file open(const std::filesystem::path& path, deadline until = never);

    /// Opens a file for reading and writing: created if it does not exist, truncated if it does.
    static file create(const std::filesystem::path& path, deadline until = never);

    /// Opens a file for appending: each write goes to the current end of the file. Created if it does not exist.
    static file append(const std::filesystem::path& path, deadline until = never);

    /// As open(2), with O_CLOEXEC added. A pipe, a socket or a directory is refused: `invalid_argument`,
    /// `is_a_directory`. With O_DIRECT, bytes at any address, offset and length can be read and written: complete blocks
    /// that begin at the start of a block bypass the page cache; a write of anything else goes through it.
    static file open(const std::filesystem::path& path, int flags, mode_t permissions = 0666, deadline until = never);
    static file open(const std::filesystem::path& path, int flags, mode_t permissions, deadline until,
                     std::error_code& ec);

    /// Reads from `offset` on. Returns less than the size of `into` only at the end of the file; with `ec`, also after
    /// a failure. Does not change `position`.
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, std::span<std::byte> into, deadline until = never);
    std::size_t read_at(std::uint64_t offset, std::span<std::byte> into, deadline until, std::error_code& ec);

    /// Writes all bytes from `offset` on. With `ec`, returns how many bytes were written before a failure
    /// (`no_space_on_device`). Does not change `position`.
    void write_at(std::uint64_t offset, std::span<const std::byte> from, deadline until = never);
    std::size_t write_at(std::uint64_t offset, std::span<const std::byte> from, deadline until, std::error_code& ec);

    /// The offset at which `read_some` and `write_some` begin; 0 at first.
    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    void seek(std::uint64_t position) noexcept { position_ = position; }

    [[nodiscard]] std::uint64_t size(deadline until = never) const;

    /// Truncates the file to this size, or extends it with zeros.
    void resize(std::uint64_t bytes, deadline until = never);

    /// `sync` waits until all written data is on the disk (fsync(2)). `sync_data` does the same without metadata that
    /// readers do not need, such as times (fdatasync(2)).
    void sync(deadline until = never);
    void sync_data(deadline until = never);

    /// Closes the file, and reports errors that appear only then (a full disk on a network file server). The destructor
    /// also closes the file, but reports no errors, and its thread may have to wait for a network file server. Operations
    /// that other fibers have begun end first.
    void close(deadline until = never);

    [[nodiscard]] bool is_open() const noexcept { return opened_ != nullptr; }

    /// For messages: its path, in quotes.
    [[nodiscard]] std::string subject() const;

    /// The descriptor, for fcntl(2) and similar calls; -1 if the file is closed.
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

    std::shared_ptr<opened_file> opened_;  // shared with the threads that use it
    std::uint64_t position_ = 0;
};

/// Reads a whole file. Throws as the calls of `file` do.
[[nodiscard]] std::string read_file(const std::filesystem::path& path, deadline until = never);

/// Replaces the content of a file, or leaves it unchanged: a reader sees either the old or the new content, complete,
/// even after a crash. The content is written to a new file in the same directory and synced to the disk; then that
/// file is renamed to `path` (rename(2)). The permissions are kept, and a symbolic link stays a symbolic link. Throws
/// as the calls of `file` do, and leaves no temporary file behind.
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
