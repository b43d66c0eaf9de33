#pragma once

#include <coir/detail/base/current_failure.hpp>
#include <coir/detail/base/throw_if.hpp>
#include <coir/detail/net/socket.hpp>
#include <coir/error.hpp>
#include <coir/sync/semaphore.hpp>
#include <coir/task_group.hpp>
#include <coir/this_fiber.hpp>

#include "base/log.hpp"
#include "core/scheduler.hpp"
#include "net/peer_failure.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <functional>
#include <initializer_list>
#include <limits>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace coir::detail {

inline constexpr std::chrono::milliseconds pause_in_shortage{50};
inline constexpr std::size_t connections_unlimited = std::numeric_limits<std::ptrdiff_t>::max();

/// accept(2): no free descriptor in the process or the system, or no memory.
inline bool is_shortage(const std::error_code& ec) noexcept {
    return ec == std::errc::too_many_files_open || ec == std::errc::too_many_files_open_in_system ||
           ec == std::errc::no_buffer_space || ec == std::errc::not_enough_memory;
}

/// Call it in a catch clause. In a forked process, where no scheduler can report the exception, it rethrows.
inline void report_failure() {
    scheduler* const here = scheduler::current();
    if (here == nullptr) throw;
    here->report_unhandled(failure_of_fiber());
}

template <class Stream> void run_handler(const std::function<void(Stream)>& handler, Stream peer) {
    try {
        handler(std::move(peer));
    } catch (const cancelled&) {
        throw;
    } catch (...) {
        if (!is_caused_by_peer(std::current_exception())) report_failure();
    }
}

/// Notices that descriptors or memory are short, and logs that once.
class shortage {
public:
    void notice(std::initializer_list<std::string_view> message) noexcept {
        is_new_ = true;
        if (!std::exchange(is_logged_, true)) log::write_joined(log_level::warning, message);
    }
    /// Whether something was noticed since the last call.
    [[nodiscard]] bool take() noexcept { return std::exchange(is_new_, false); }

private:
    bool is_new_ = false;
    bool is_logged_ = false;
};

/// The fibers of the connections. If one cannot begin, its connection is closed, and the others go on.
class connection_fibers : public group_core {
public:
    connection_fibers(const char* operation, shortage& memory) noexcept
        : group_core{unlimited, could_not_begin}, operation_{operation}, memory_{memory} {}

    void cannot_begin(const std::exception_ptr& failure) noexcept {
        constexpr std::string_view text = ": cannot begin a fiber for a connection, which is closed: ";
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& why) {
            memory_.notice({operation_, text, why.what()});
        } catch (...) {
            memory_.notice({operation_, text, "an exception that is not a std::exception"});
        }
    }

private:
    static void could_not_begin(group_core& group, const std::exception_ptr& failure) noexcept {
        static_cast<connection_fibers&>(group).cannot_begin(failure);
    }

    const char* operation_;
    shortage& memory_;
};

/// The implementation of `serve` for any kind of listener and stream. `socket` is the socket of the listener; `site` is
/// where the program calls `serve`.
template <class Stream, class Listener>
void serve(Listener& listener, socket& socket, const std::function<void(Stream)>& handler, std::size_t most,
           const deadline& until, const char* operation, const void* site) {
    struct slot {
        explicit slot(counting_semaphore<>& of) noexcept : of_{&of} {}
        slot(slot&& other) noexcept : of_{std::exchange(other.of_, nullptr)} {}
        ~slot() {
            if (of_ != nullptr) of_->release();
        }
        counting_semaphore<>* of_;
    };
    const bool was_open = listener.is_open();
    counting_semaphore<> slots{static_cast<std::ptrdiff_t>(std::min(most, connections_unlimited))};
    shortage of_descriptors;
    shortage of_memory;
    connection_fibers connections{operation, of_memory};
    connections.set_spawn_site(site);
    const auto begin = [&](Stream peer, slot taken) {
        try {
            std::error_code gone;
            const auto from = peer.remote_endpoint(gone);
            const std::string name = gone ? "" : from.to_string();
            auto body = [&handler, peer = std::move(peer), taken = std::move(taken)]() mutable {
                run_handler(handler, std::move(peer));
            };
            spawn_member(connections, name, 0, std::move(body));
        } catch (const std::bad_alloc&) {
            connections.cannot_begin(current_failure());
        }
    };
    for (;;) {
        if (of_descriptors.take() || of_memory.take()) socket.pause(direction::read, pause_in_shortage);
        // A slot is taken before accept: connections beyond the limit stay in the system's queue.
        if (!slots.try_acquire_until(until)) throw timed_out{operation};
        slot taken{slots};
        if (socket.is_draining()) break;
        std::error_code ec;
        Stream peer = listener.accept(until, ec);
        if (!ec) {
            begin(std::move(peer), std::move(taken));
            // Distributes a burst of connections over the processes: the first one to wake must not accept all of them.
            if (socket.is_shared()) this_fiber::yield();
        } else if (was_open && !listener.is_open()) {
            break;
        } else if (is_shortage(ec)) {
            of_descriptors.notice({operation, ": cannot accept a connection: ", std::strerror(ec.value()),
                                   "; new connections wait in the system's queue until descriptors or memory are free "
                                   "(RLIMIT_NOFILE limits the descriptors of the process)"});
        } else if (!socket.is_draining()) {
            throw_error(ec, operation);
        }
    }
    // When draining, accepts the connections that arrived before the waits ended: their only wake-up may have gone to
    // this process.
    while (slots.try_acquire()) {
        slot taken{slots};
        std::error_code ec;
        Stream peer = listener.accept(std::chrono::seconds{0}, ec);
        if (ec) break;
        begin(std::move(peer), std::move(taken));
    }
    listener.close();
    connections.join(operation);
}

}  // namespace coir::detail
