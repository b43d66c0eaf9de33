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

/// Whether other processes wait on the same open file.
enum class sharing : std::uint8_t { none, processes };

/// A non-blocking descriptor that the library owns: the base of sockets, pipes and others. It belongs to the scheduler
/// whose fiber first uses it, is registered there once, and may outlive it. Each call that waits throws `not_in_fiber`,
/// `wrong_scheduler`, `cancelled` and `scope_expired`; `ec` holds all other errors.
class polled_fd {
public:
    polled_fd() noexcept = default;
    explicit polled_fd(int fd, sharing with = sharing::none) noexcept : fd_{fd}, with_{with} {}
    polled_fd(polled_fd&& other) noexcept;
    polled_fd& operator=(polled_fd&& other) noexcept;
    ~polled_fd();

    [[nodiscard]] int fd() const noexcept { return fd_; }

    /// Whether it belongs to a scheduler of the process from which this process was forked, and no fiber of this
    /// process has used it yet.
    [[nodiscard]] bool is_from_parent_process() const noexcept { return owner_.is_from_parent_process(); }

    /// Closes the descriptor. Suspended calls of other fibers fail with `operation_canceled`.
    void close() noexcept;

    /// Returns the descriptor, still open, and gives up its ownership; -1 if there is none. Suspended calls fail as
    /// with `close`.
    int release() noexcept;

    /// Lets suspended calls fail as `close` does, but keeps the descriptor open.
    void interrupt() noexcept { fd_ = release(); }

    [[nodiscard]] bool is_shared() const noexcept { return with_ == sharing::processes; }

    /// Calls `attempt` with the reactor's record of the descriptor until it returns something other than -EAGAIN; after
    /// each -EAGAIN, suspends the fiber until the descriptor is ready. Returns that result, or a negative number with
    /// `ec`. (Defined in lib/io/polled_fd.hpp, as the two functions below.)
    template <class Attempt>
    long complete(direction towards, const deadline& until, std::error_code& ec, const char* operation,
                  Attempt attempt);

    /// Repeats `call`, a system call, until it has transferred something, and returns its result. `call` must return
    /// -EAGAIN only if there is nothing more to read, or no room to write.
    template <class Call>
    std::size_t read_by(Call call, const deadline& until, std::error_code& ec, const char* operation);
    template <class Call>
    std::size_t write_by(Call call, const deadline& until, std::error_code& ec, const char* operation);

    /// Marks that a fiber is suspended in a call on this descriptor. Meanwhile the object must not be moved or
    /// destroyed, and a call of another fiber in the same direction fails with `operation_in_progress`.
    class pending_call;
    [[nodiscard]] bool is_busy(direction towards, std::error_code& ec) const noexcept;

    /// Yields if the calling fiber must let others run (`scheduler::is_yield_due`). Returns `operation_canceled` if one
    /// of them has closed the descriptor.
    std::error_code yield_if_due(scheduler& here, direction towards);

private:
    std::error_code admit(scheduler& here, const char* operation);
    std::error_code wait(direction towards, const deadline& until, const char* operation);
    std::error_code wait_shared(scheduler& here, waiter& me, const deadline& until);
    std::error_code yield(scheduler& here, direction towards);
    void check_no_pending_call() noexcept;
    void forget_calls_of_parent_process() noexcept;

    int fd_ = -1;
    sharing with_ = sharing::none;
    owner owner_;
    std::uint32_t pending_calls_[2] = {0, 0};  // number of fibers suspended in a call, by direction
};

}  // namespace coir::detail
