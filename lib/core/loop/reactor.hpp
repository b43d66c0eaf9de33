#pragma once

#include <coir/detail/base/list.hpp>

#include "base/unique_fd.hpp"
#include "core/task/waiter.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sys/epoll.h>
#include <vector>

namespace coir::detail {

enum class direction : std::uint8_t { read, write };

/// What the reactor knows of one descriptor number.
struct descriptor {
    enum class kind : std::uint8_t {
        unknown,
        owned,     // ours: registered once, edge-triggered, for its life
        borrowed,  // the program's: registered anew, for one event, by each wait that parks
        shared,    // ours, and of other processes: registered while a fiber waits
    };

    [[nodiscard]] list<waiter>& waiters(direction towards) noexcept {
        return towards == direction::read ? readers : writers;
    }

    list<waiter> readers;
    list<waiter> writers;
    std::uint32_t generation = 0;  // of its events: one that was on its way when the number changed hands is dropped
    std::uint32_t watched = 0;     // the events registered
    kind how = kind::unknown;

    // Owned and shared descriptors: what is known without asking. Try the call while the flag is set, clear it at
    // EAGAIN, then wait.
    bool readable = false;
    bool writable = false;
    /// PRI, RDHUP, HUP or ERR came. From now on a short read says nothing: data and end of stream can come in one
    /// event, and only EAGAIN (or the end) proves that nothing is left.
    bool eagain_alone_clears = false;
};

/// Descriptors that fibers wait for, by epoll(7). Only ever calls `waiter::wake`.
class reactor {
public:
    reactor();

    /// Watches a non-blocking descriptor of ours until `remove`. It counts as ready both ways until a call says EAGAIN.
    /// Throws `std::system_error`: EPERM when epoll cannot watch it (a regular file).
    void add(int fd);

    /// The same for a listening socket from which other processes accept as well. It is watched only while a fiber
    /// waits for it, level-triggered and so that each connection wakes one of those who sleep (EPOLLEXCLUSIVE): a
    /// process that does not accept takes no one's turn. Whoever waits goes to the end of the line, so all get theirs.
    void add_shared(int fd);

    /// To be called before the descriptor is closed: a duplicate of it in another process would keep its entry alive.
    /// Ends waits on it with `outcome::closed`.
    void remove(int fd) noexcept;

    /// What is known of an owned or shared descriptor. The reference holds as long as the reactor.
    [[nodiscard]] descriptor& operator[](int fd) noexcept { return *known(fd); }

    /// Before a wait of `who` for an owned descriptor. Watches for writability from the first wait for it on: asked for
    /// from the start, it would cost an event for every message that the peer reads.
    void prepare(int fd, waiter& who, direction towards);

    /// Before a wait of `who` for input from a shared descriptor, and after it, however it ended.
    void prepare_shared(int fd, waiter& who);
    void finish_shared(int fd) noexcept;

    /// Before a wait of `who` for a descriptor of the program's. False when there is nothing to wait for: it is ready
    /// (a regular file). Throws `std::system_error` (bad_file_descriptor).
    bool prepare_borrowed(int fd, waiter& who, direction towards);

    /// After a wait on a borrowed descriptor, however it ended.
    void finish_borrowed(int fd) noexcept;

    /// A wakeup descriptor that is watched without waiters, edge-triggered.
    void watch_wakeup_descriptor(int fd);

    /// Whether any fiber waits for a descriptor: only then is epoll asked while fibers are ready.
    [[nodiscard]] bool has_waiters() const noexcept { return waiting_ > 0; }

    /// A wait for a descriptor begins and ends.
    void count_waiter() noexcept { ++waiting_; }
    void discount_waiter() noexcept { --waiting_; }

    /// Wakes whom events are for; waits up to `nanoseconds` (negative: for ever) when there is none yet.
    void poll(std::int64_t nanoseconds) noexcept;

    /// How often `poll` was called.
    [[nodiscard]] std::uint64_t polls() const noexcept { return polls_; }

private:
    static constexpr std::size_t chunk = 256;

    [[nodiscard]] descriptor* known(int fd) noexcept {
        const auto index = static_cast<std::size_t>(fd);
        return &(*chunks_[index / chunk])[index % chunk];
    }
    descriptor& know(int fd);
    /// From now on it is ours, and counts as ready both ways.
    descriptor& take_on(int fd, descriptor::kind how);
    /// Out of epoll, and ends the waits on it.
    void drop_entry(int fd) noexcept;
    void dispatch(const epoll_event& event) noexcept;
    long control(int operation, int fd, const descriptor& what) const noexcept;

    std::vector<std::unique_ptr<std::array<descriptor, chunk>>> chunks_;  // by number, made as needed, never moved
    std::size_t waiting_ = 0;
    std::uint64_t polls_ = 0;
    unique_fd epoll_;
};

}  // namespace coir::detail
