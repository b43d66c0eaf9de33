#pragma once

#include <coir/deadline.hpp>
#include <coir/detail/core/owner.hpp>

#include <cstddef>
#include <cstdint>
#include <system_error>

namespace coir::detail {

class scheduler;
struct waiter;
enum class direction : std::uint8_t;

/// Whether other processes wait for the same file.
enum class sharing : std::uint8_t { none, processes };

/// A non-blocking descriptor that the library owns: what sockets, pipes and the like are made of. It comes to belong to
/// the scheduler whose fiber first uses it, is registered there once, and may outlive it. Each call that waits throws
/// `not_in_fiber`, `wrong_scheduler`, `cancelled` and `scope_expired`; all other failures are in `ec`.
class polled_fd {
public:
    polled_fd() noexcept = default;
    explicit polled_fd(int fd, sharing with = sharing::none) noexcept : fd_{fd}, with_{with} {}
    polled_fd(polled_fd&& other) noexcept;
    polled_fd& operator=(polled_fd&& other) noexcept;
    ~polled_fd();

    [[nodiscard]] int fd() const noexcept { return fd_; }

    /// Whether fibers of the process that this one was forked from use it, and none here yet.
    [[nodiscard]] bool is_from_parent_process() const noexcept { return owner_.is_from_parent_process(); }

    /// Ends the waits of other fibers in here with `operation_canceled`.
    void close() noexcept;

    /// Gives the descriptor away, open as it is; -1 when there is none.
    int release() noexcept;

    /// Ends the waits in the same way, and stays open.
    void interrupt() noexcept { fd_ = release(); }

    [[nodiscard]] bool is_shared() const noexcept { return with_ == sharing::processes; }

    /// Makes `attempt`, which is given what is known of the descriptor, until it says other than -EAGAIN; in between
    /// the fiber is suspended until there is news. Its result, or negative with `ec`. (lib/io/polled_fd.hpp, as the two
    /// below.)
    template <class Attempt>
    long complete(direction towards, const deadline& until, std::error_code& ec, const char* operation,
                  Attempt attempt);

    /// What `call` returns, a system call of which EAGAIN alone says that there is nothing more to read, or no room to
    /// write: made until it has moved something.
    template <class Call>
    std::size_t read_by(Call call, const deadline& until, std::error_code& ec, const char* operation);
    template <class Call>
    std::size_t write_by(Call call, const deadline& until, std::error_code& ec, const char* operation);

    /// A fiber is suspended in one of its calls: the descriptor stays where it is, and another fiber's call in that
    /// direction is refused with `operation_in_progress`.
    class pending_call;
    [[nodiscard]] bool is_busy(direction towards, std::error_code& ec) const noexcept;

private:
    std::error_code admit(scheduler& here, const char* operation);
    std::error_code wait(scheduler& here, direction towards, const deadline& until);
    std::error_code wait_shared(scheduler& here, waiter& me, const deadline& until);
    std::error_code let_others_run(scheduler& here, direction towards);
    void check_no_pending_call() noexcept;
    void forget_calls_of_parent_process() noexcept;

    int fd_ = -1;
    sharing with_ = sharing::none;
    owner owner_;
    std::uint32_t pending_calls_[2] = {0, 0};  // fibers suspended in a call, by direction
};

}  // namespace coir::detail
