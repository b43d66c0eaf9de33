#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/io/polled_fd.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace coir::io {

/// A change in a directory.
struct directory_change {
    enum class kind {
        created,     // `name` exists now: created or linked
        written,     // a writer of `name` has closed it
        modified,    // the content, the owner or the permissions of `name` have changed
        removed,     // `name` no longer exists
        moved_away,  // `name` was renamed to another name, in this directory or elsewhere
        moved_here,  // another file was renamed to `name`, and may have replaced an older one
        lost,        // the system has dropped changes: read the directory again
        ended,       // the directory itself no longer exists: no more changes follow
    };

    kind what;
    std::string name;           // without the path of the directory
    bool is_directory = false;  // whether `name` is a directory
};

/// Reports changes of the entries of one directory (inotify(7)) from the construction of this object on. Entries of
/// subdirectories are not watched. Move-only. The rules for use by several fibers are those of `reader`.
///
/// @code
/// const auto path = std::filesystem::temp_directory_path() / ("coir-watch-" + std::to_string(getpid()));
/// std::filesystem::create_directory(path);
/// coir::io::directory_watch watch{path};
/// coir::io::replace_file(path / "settings", "on");
/// for (auto change = watch.next(1s); change.name != "settings"; change = watch.next(1s)) {}
/// std::filesystem::remove_all(path);
/// @endcode
class directory_watch {
public:
    /// Throws `std::system_error` that names the path: `no_such_file_or_directory`, `not_a_directory`,
    /// `permission_denied`, or an error that names the system limit that was reached.
    explicit directory_watch(const std::filesystem::path& directory);

    /// Waits for the next change. If a stop, a timeout scope or the deadline cuts the call short, no change is lost.
    /// Throws `timed_out`, `cancelled`, `scope_expired`, and `std::system_error`.
    [[nodiscard]] directory_change next(deadline until = never);

    /// Ends the wait of another fiber with `operation_canceled`. Never waits.
    void close() noexcept { fd_.close(); }

    [[nodiscard]] int native_handle() const noexcept { return fd_.fd(); }

private:
    detail::polled_fd fd_;
    std::vector<std::byte> events_;  // as the kernel wrote them; the first `taken_` bytes have been reported
    std::size_t taken_ = 0;
    bool ended_ = false;
};

}  // namespace coir::io
