#pragma once

#include <coir/process/prefork_options.hpp>
#include <coir/process/worker.hpp>

#include "base/unique_fd.hpp"
#include "prefork/adopted_children.hpp"
#include "prefork/listen_sockets.hpp"
#include "prefork/parent_signals.hpp"
#include "prefork/restart_delay.hpp"
#include "prefork/worker_process.hpp"

#include <chrono>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

namespace coir::detail {

/// The parent of a prefork server. It owns the listening sockets, starts the workers, and handles signals and ended
/// worker processes, one after the other.
class supervisor {
public:
    /// Binds the sockets and blocks the signals that `run` reads.
    /// Throws `std::system_error`.
    supervisor(unsigned workers, const std::function<void(worker&)>& main, const prefork_options& options);

    /// Returns when all workers have ended. The result is the program's exit code.
    int run();

private:
    using clock = worker_process::clock;
    using role = worker_process::role;

    /// One worker index. A replacement worker gets the same slot.
    struct slot {
        restart_delay delay;
        clock::time_point next_start = clock::time_point::max();  // of a replacement worker
    };

    // ---- events
    void wait();
    void handle_signals();
    void collect_ready();
    void reap_exited();
    void reap_adopted();
    void enforce_limits();
    void start_due();
    void report_stats();

    // ---- workers
    void start(unsigned index, role as);
    void fork(worker_process& into);
    [[noreturn]] void run_child(worker_process& own) noexcept;
    void handle_ready(worker_process& ready);
    void handle_ended(const worker_process& ended, const std::string& how);
    void replace_or_give_up(unsigned index, const std::string& what, std::chrono::milliseconds lived);
    [[nodiscard]] bool all_are_ready() noexcept;
    [[nodiscard]] worker_process* current(unsigned index) noexcept;

    // ---- rolling restart and shutdown
    void begin_rolling_restart();
    void restart_from(unsigned index);
    void end_rolling_restart();
    void shut_down();

    const std::function<void(worker&)>& main_;
    const prefork_options& options_;
    listen_sockets sockets_;
    adopted_children adopted_;
    parent_signals signals_;
    unique_fd lifeline_;      // read end, inherited by the workers: end of file means that the parent has died
    unique_fd lifeline_end_;  // write end, open only in the parent
    std::vector<slot> slots_;
    std::list<worker_process> processes_;
    std::optional<unsigned> restarting_;  // index whose successor is starting; set during a rolling restart
    bool restart_requested_ = false;      // SIGHUP arrived during a rolling restart
    bool all_were_ready_ = false;
    bool ending_ = false;
    bool gave_up_ = false;
    clock::time_point next_stats_ = clock::time_point::max();
};

}  // namespace coir::detail
