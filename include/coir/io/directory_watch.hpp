#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/io/polled_fd.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace coir::io {

/// What has happened in a directory.
struct directory_change {
    enum class kind {
        created,     // `name` is there: made, or linked
        written,     // somebody who wrote to `name` has closed it
        modified,    // bytes of `name`, or whose it is and who may use it, have changed
        removed,     // `name` is gone
        moved_away,  // `name` is gone: it has another name, here or elsewhere
        moved_here,  // `name` is there: it had another name, and may have taken another one's place
        lost,        // more has happened than the system keeps: look at the directory anew
        ended,       // the directory itself is gone: nothing more will come
    };

    kind what;
    std::string name;           // within the directory
    bool is_directory = false;  // `name` is one itself
};

/// Tells what happens to the entries of one directory (inotify(7)), from the moment that it is made; not to what is in
/// directories below. Move-only. Who may use it when is as with a `reader`.
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
    /// Throws `std::system_error` naming the path: `no_such_file_or_directory`, `not_a_directory`, `permission_denied`,
    /// and what says which limit of the system is reached.
    explicit directory_watch(const std::filesystem::path& directory);

    /// Waits for the next change. Cut short by a stop, a scope or a deadline, it loses none. Throws `timed_out`,
    /// `cancelled`, `scope_expired`, and `std::system_error`.
    [[nodiscard]] directory_change next(deadline until = never);

    /// Ends the wait of another fiber with `operation_canceled`. Never waits.
    void close() noexcept { fd_.close(); }

    [[nodiscard]] int native_handle() const noexcept { return fd_.fd(); }

private:
    detail::polled_fd fd_;
    std::vector<std::byte> events_;  // as the kernel has written them, of which the first `taken_` bytes are told
    std::size_t taken_ = 0;
    bool ended_ = false;
};

}  // namespace coir::io
