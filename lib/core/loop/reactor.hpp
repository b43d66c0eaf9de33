#pragma once

#include <coir/detail/base/list.hpp>

#include "base/unique_fd.hpp"
#include "core/task/waiter.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sys/epoll.h>
#include <vector>

namespace coir::detail {

enum class direction : std::uint8_t { read, write };

/// Asks the kernel, without waiting (poll(2)). True also if the descriptor has failed or ended.
[[nodiscard]] bool is_ready_now(int fd, direction towards) noexcept;

/// The reactor's state for one descriptor number.
struct descriptor {
    enum class kind : std::uint8_t {
        unknown,
        owned,     // opened by coir: registered with epoll once, edge-triggered, until `remove`
        borrowed,  // opened by the program: each wait that parks registers it for one event
        shared,    // opened by coir and used by other processes too: registered while a fiber waits
    };

    [[nodiscard]] list<waiter>& waiters(direction towards) noexcept {
        return towards == direction::read ? readers : writers;
    }

    /// For owned and shared descriptors: the readiness as last known. Make the call while it is true, clear it at
    /// EAGAIN, then wait.
    [[nodiscard]] bool& ready(direction towards) noexcept { return towards == direction::read ? readable : writable; }

    /// Makes a non-blocking call on an owned or shared descriptor, unless an earlier one said EAGAIN and no event came
    /// since: then returns -EAGAIN at once. After EAGAIN, wait.
    template <class Call> long try_call(direction towards, Call call) {
        bool& is_ready = ready(towards);
        if (!is_ready) return -EAGAIN;
        const long result = call();
        if (result == -EAGAIN) is_ready = false;
        return result;
    }

    list<waiter> readers;
    list<waiter> writers;
    std::uint32_t generation = 0;  // increased when the number gets a new file; events of older generations are dropped
    std::uint32_t watched = 0;     // the events that are registered with epoll
    kind how = kind::unknown;

    bool readable = false;
    bool writable = false;
    /// EPOLLPRI, EPOLLRDHUP, EPOLLHUP or EPOLLERR was reported. After that, a short read does not mean that the buffer
    /// is empty: data and the end of the stream can arrive in one event. Only EAGAIN or the end of the stream does.
    bool eagain_alone_clears = false;
};

/// Waits for descriptors with epoll(7), on behalf of fibers. Its only effect on them is `waiter::wake`.
class reactor {
public:
    reactor();

    /// Watches a non-blocking descriptor that coir owns, until `remove`. It counts as readable and writable until a
    /// call returns EAGAIN. Throws `std::system_error`: EPERM if epoll cannot watch it (a regular file).
    void add(int fd);

    /// The same for a listening socket from which other processes accept too. It is registered only while a fiber waits
    /// for it, level-triggered and with EPOLLEXCLUSIVE: each connection wakes one of the sleeping processes, and a
    /// process that does not accept is not woken. Each wait registers it again at the end of the kernel's queue, so
    /// that all processes get connections.
    void add_shared(int fd);

    /// Must be called before the descriptor is closed: a duplicate in another process would keep the epoll entry alive.
    /// Ends the waits on it with `outcome::closed`.
    void remove(int fd) noexcept;

    /// The state of an owned or shared descriptor. The reference is valid as long as the reactor.
    [[nodiscard]] descriptor& operator[](int fd) noexcept { return *entry(fd); }

    /// Must be called before `waiting` parks to wait for an owned descriptor. Registers EPOLLOUT at the first wait to
    /// write: if it were registered from the start, every message that the peer reads would cause an event.
    void prepare(int fd, waiter& waiting, direction towards);

    /// Must be called before `waiting` parks to wait for input from a shared descriptor.
    void prepare_shared(int fd, waiter& waiting);
    /// Must be called after that wait, however it ended.
    void finish_shared(int fd) noexcept;

    /// Must be called before `waiting` parks to wait for a descriptor of the program. Returns false if there is nothing
    /// to wait for: it is ready, or is always ready (a regular file). Throws `std::system_error` (bad_file_descriptor).
    bool prepare_borrowed(int fd, waiter& waiting, direction towards);

    /// Must be called after a wait on a borrowed descriptor, however it ended.
    void finish_borrowed(int fd) noexcept;

    /// Watches the inbox's wakeup descriptor, edge-triggered and without waiters: its events only end a `poll`.
    void watch_wakeup_descriptor(int fd);

    /// Whether a fiber waits for a descriptor. If not, the hub does not poll while fibers are ready.
    [[nodiscard]] bool has_waiters() const noexcept { return waiting_ > 0; }
    [[nodiscard]] std::size_t waiters() const noexcept { return waiting_; }

    /// Must be called when a wait for a descriptor begins and when it ends.
    void count_waiter() noexcept { ++waiting_; }
    void discount_waiter() noexcept { --waiting_; }

    static constexpr int events_max = 256;  // that one poll reports

    /// Wakes the waiters whose events have occurred. If there is no event, waits for one for up to `nanoseconds`; for
    /// ever if negative. Returns true if there were `events_max` events: there may be more.
    bool poll(std::int64_t nanoseconds) noexcept;

    /// The number of calls of `poll`.
    [[nodiscard]] std::uint64_t polls() const noexcept { return polls_; }

private:
    static constexpr std::size_t chunk = 256;

    [[nodiscard]] descriptor* entry(int fd) noexcept {
        const auto index = static_cast<std::size_t>(fd);
        return &(*chunks_[index / chunk])[index % chunk];
    }
    descriptor& make_entry(int fd);
    /// Marks the descriptor as owned by coir, readable and writable.
    descriptor& adopt(int fd, descriptor::kind how);
    /// Removes the epoll entry and ends the waits on the descriptor.
    void drop_registration(int fd) noexcept;
    void dispatch(const epoll_event& event) noexcept;
    long control(int operation, int fd, const descriptor& what) const noexcept;

    // Indexed with the descriptor number. Chunks are allocated on demand and never moved.
    std::vector<std::unique_ptr<std::array<descriptor, chunk>>> chunks_;
    std::size_t waiting_ = 0;
    std::uint64_t polls_ = 0;
    unique_fd epoll_;
};

}  // namespace coir::detail
