#include <coir/detail/base/throw_if.hpp>
#include <coir/error.hpp>
#include <coir/io/file.hpp>

#include "base/replace_file.hpp"
#include "base/unique_fd.hpp"
#include "io/file_calls.hpp"
#include "io/vectors.hpp"
#include "thread/detached_work.hpp"

#include <algorithm>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace coir::io {

struct file::opened_file {
    opened_file(detail::unique_fd opened, std::string at) noexcept : fd{std::move(opened)}, path{std::move(at)} {}

    detail::unique_fd fd;
    const std::string path;
    detail::cached_file cached;  // for files with O_DIRECT
};

namespace {

using detail::scheduler;

constexpr std::size_t piece_max = 1 << 20;  // bytes per call in a thread; also the size of its copy

/// Runs `f` in a thread of the pool and waits. Empty, with `timed_out` in `ec`, if `until` has passed.
template <class F> auto call(const char* operation, const deadline& until, std::error_code& ec, F f) {
    scheduler& here = scheduler::enter(operation);
    auto done = detail::call_detached(detail::lane::files, here, operation, until, std::move(f));
    ec = done ? std::error_code{} : std::make_error_code(std::errc::timed_out);
    return done;
}

std::string in_quotes(const std::string& path) { return "'" + path + "'"; }

void throw_naming(const std::error_code& ec, const char* operation, const std::string& path) {
    if (ec) detail::throw_error(ec, std::string{operation} + " " + in_quotes(path));
}

/// For calls that return only an error.
template <class F> void simple_call(const char* operation, const std::string& path, const deadline& until, F f) {
    std::error_code ec;
    const auto failure = call(operation, until, ec, std::move(f));
    throw_naming(failure ? *failure : ec, operation, path);
}

}  // namespace

// ---- opening and closing -----------------------------------------------------------------------------------------

file file::open(const std::filesystem::path& path, deadline until) { return open(path, O_RDONLY, 0, until); }

file file::create(const std::filesystem::path& path, deadline until) {
    return open(path, O_RDWR | O_CREAT | O_TRUNC, 0666, until);
}

file file::append(const std::filesystem::path& path, deadline until) {
    return open(path, O_WRONLY | O_CREAT | O_APPEND, 0666, until);
}

file file::open(const std::filesystem::path& path, int flags, mode_t permissions, deadline until) {
    std::error_code ec;
    file made = open(path, flags, permissions, until, ec);
    throw_naming(ec, "io::file::open", path);
    return made;
}

file file::open(const std::filesystem::path& path, int flags, mode_t permissions, deadline until, std::error_code& ec) {
    auto opened = call("io::file::open", until, ec,
                       [=, path = path.native()] { return detail::open_file(path, flags, permissions); });
    if (!opened) return {};
    ec = opened->failure;
    file made;
    if (!ec) made.opened_ = std::make_shared<opened_file>(std::move(opened->fd), path.native());
    return made;
}

void file::close(deadline until) {
    constexpr char operation[] = "io::file::close";
    std::shared_ptr<opened_file> last = checked(operation);
    opened_ = nullptr;
    const std::string path = last->path;
    simple_call(operation, path, until, [last = std::move(last)]() mutable {
        // Other threads may still use the file; the last of them then closes it.
        return last.use_count() > 1 ? std::error_code{} : detail::close_file(last->fd);
    });
}

int file::native_handle() const noexcept { return opened_ != nullptr ? opened_->fd.get() : -1; }

std::string file::subject() const { return opened_ != nullptr ? in_quotes(opened_->path) : "of a closed file"; }

const std::shared_ptr<file::opened_file>& file::checked(const char* operation) const {
    if (opened_ == nullptr) {
        detail::throw_error(std::make_error_code(std::errc::bad_file_descriptor),
                            std::string{operation} + ": the file is closed");
    }
    return opened_;
}

// ---- reading and writing -----------------------------------------------------------------------------------------

std::size_t file::read_at(std::uint64_t offset, std::span<std::byte> into, deadline until) {
    std::error_code ec;
    const std::size_t n = read_at(offset, into, until, ec);
    if (ec) detail::throw_error(ec, "io::file::read_at " + subject());
    return n;
}

std::size_t file::read_at(std::uint64_t offset, std::span<std::byte> into, deadline until, std::error_code& ec) {
    if (opened_ == nullptr) {
        ec = std::make_error_code(std::errc::bad_file_descriptor);
        return 0;
    }
    ec.clear();
    for (std::size_t done = 0; done < into.size();) {
        const std::size_t bytes = std::min(piece_max, into.size() - done);
        auto read = call("io::file::read_at", until, ec, [from = opened_, at = offset + done, bytes] {
            return detail::read_file_at(from->fd.get(), at, bytes);
        });
        if (!read) return done;
        ec = read->failure;
        std::memcpy(into.data() + done, read->bytes.get(), read->count);
        done += read->count;
        if (read->count < bytes) return done;
    }
    return into.size();
}

void file::write_at(std::uint64_t offset, std::span<const std::byte> from, deadline until) {
    std::error_code ec;
    write_at(offset, from, until, ec);
    if (ec) detail::throw_error(ec, "io::file::write_at " + subject());
}

std::size_t file::write_at(std::uint64_t offset, std::span<const std::byte> from, deadline until, std::error_code& ec) {
    if (opened_ == nullptr) {
        ec = std::make_error_code(std::errc::bad_file_descriptor);
        return 0;
    }
    return detail::transfer_all(from.size(), ec, [&](std::size_t done) -> std::size_t {
        const auto piece = from.subspan(done, std::min(piece_max, from.size() - done));
        auto written = call("io::file::write_at", until, ec,
                            [to = opened_, at = offset + done, copy = std::vector(piece.begin(), piece.end())] {
                                return detail::write_file_at(to->fd.get(), at, copy, to->cached);
                            });
        if (!written) return 0;
        ec = written->failure;
        return written->count;
    });
}

std::size_t file::receive(std::span<std::byte> into, const deadline& until, std::error_code& ec) {
    const std::size_t n = read_at(position_, into.first(std::min(piece_max, into.size())), until, ec);
    position_ += n;
    return n;
}

std::size_t file::receive(mutable_buffers into, const deadline& until, std::error_code& ec) {
    return receive(detail::first_of_buffers(into), until, ec);
}

std::size_t file::send(std::span<const std::byte> from, const deadline& until, std::error_code& ec) {
    const std::size_t n = write_at(position_, from.first(std::min(piece_max, from.size())), until, ec);
    position_ += n;
    return n;
}

std::size_t file::send(const_buffers from, const deadline& until, std::error_code& ec) {
    return send(detail::first_of_buffers(from), until, ec);
}

// ---- the rest ----------------------------------------------------------------------------------------------------

std::uint64_t file::size(deadline until) const {
    constexpr char operation[] = "io::file::size";
    std::error_code ec;
    const auto found =
        call(operation, until, ec, [of = checked(operation)] { return detail::size_of_file(of->fd.get()); });
    throw_naming(found ? found->failure : ec, operation, opened_->path);
    return found->bytes;
}

void file::resize(std::uint64_t bytes, deadline until) {
    constexpr char operation[] = "io::file::resize";
    simple_call(operation, checked(operation)->path, until, [of = opened_, bytes] {
        return detail::error_of_call(::ftruncate(of->fd.get(), static_cast<off_t>(bytes)));
    });
}

void file::sync(deadline until) {
    constexpr char operation[] = "io::file::sync";
    simple_call(operation, checked(operation)->path, until,
                [of = opened_] { return detail::error_of_call(::fsync(of->fd.get())); });
}

void file::sync_data(deadline until) {
    constexpr char operation[] = "io::file::sync_data";
    simple_call(operation, checked(operation)->path, until,
                [of = opened_] { return detail::error_of_call(::fdatasync(of->fd.get())); });
}

// ---- whole files -------------------------------------------------------------------------------------------------

std::string read_file(const std::filesystem::path& path, deadline until) {
    constexpr char operation[] = "io::read_file";
    std::error_code ec;
    auto read = call(operation, until, ec, [path = path.native()] { return detail::read_whole_file(path); });
    throw_naming(read ? read->failure : ec, operation, path);
    return std::move(read->content);
}

void replace_file(const std::filesystem::path& path, std::span<const std::byte> content, deadline until) {
    simple_call("io::replace_file", path.native(), until,
                [path = path.native(), copy = std::vector(content.begin(), content.end())] {
                    return detail::replace_file(path, copy);
                });
}

void replace_file(const std::filesystem::path& path, std::string_view content, deadline until) {
    replace_file(path, std::as_bytes(std::span{content}), until);
}

}  // namespace coir::io
