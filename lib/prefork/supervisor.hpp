#pragma once

#include <coir/process/prefork_options.hpp>
#include <coir/process/worker.hpp>

#include "base/unique_fd.hpp"
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

/// The parent of a prefork server: has the sockets, starts workers, and does what signals and ends of processes ask
/// for, one after the other.
class supervisor {
public:
    /// Binds the sockets; from now on signals wait. Throws `std::system_error`.
    supervisor(unsigned workers, const std::function<void(worker&)>& main, const prefork_options& options);

    /// Until all is over: the program's exit code.
    int run();

private:
    using clock = worker_process::clock;
    using role = worker_process::role;

    /// Where one worker follows the other.
    struct slot {
        restart_delay delay;
        clock::time_point next_start = clock::time_point::max();  // while it is empty
    };

    // ---- what comes from outside
    void wait();
    void handle_signals();
    void collect_ready();
    void reap_exited();
    void enforce_limits();
    void start_due();
    void tell_stats();

    // ---- workers
    void start(unsigned index, role as);
    void fork(worker_process& into);
    [[noreturn]] void become(worker_process& own) noexcept;
    void is_ready(worker_process& ready);
    void has_ended(const worker_process& ended, const std::string& how);
    void is_lost(unsigned index, const std::string& what, std::chrono::milliseconds lived);
    [[nodiscard]] bool all_are_ready() noexcept;
    [[nodiscard]] worker_process* current(unsigned index) noexcept;

    // ---- all of them
    void begin_roll();
    void roll_on(unsigned index);
    void end_roll();
    void end_all();

    const std::function<void(worker&)>& main_;
    const prefork_options& options_;
    listen_sockets sockets_;
    parent_signals signals_;
    unique_fd lifeline_;      // the workers', to read
    unique_fd lifeline_end_;  // the parent's alone
    std::vector<slot> slots_;
    std::list<worker_process> processes_;
    std::optional<unsigned> rolling_;  // the index that has a successor in the making
    bool rolls_again_ = false;
    bool all_were_ready_ = false;
    bool ending_ = false;
    bool gave_up_ = false;
    clock::time_point next_stats_ = clock::time_point::max();
};

}  // namespace coir::detail
