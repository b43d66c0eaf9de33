#include <coir/detail/base/throw_if.hpp>
#include <coir/detail/core/owner.hpp>
#include <coir/error.hpp>
#include <coir/io/io.hpp>
#include <coir/process/process.hpp>
#include <coir/shield.hpp>

#include "base/check.hpp"
#include "base/sys.hpp"
#include "core/misuse.hpp"
#include "core/scheduler.hpp"
#include "process/process_start.hpp"
#include "thread/offload_in.hpp"

#include <cerrno>
#include <new>
#include <signal.h>
#include <stdexcept>
#include <string.h>
#include <sys/wait.h>

namespace coir {

using detail::scheduler;
namespace sys = detail::sys;

/// The child process. Until its status is taken, its process ID is not reused. Only the thread of the scheduler takes
/// the status.
class process::child {
public:
    explicit child(const std::string& program) : program_{program} {}
    ~child();
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    void start(scheduler& here, const detail::process_start& request);

    /// Returns false if `until` passes first.
    bool wait(const char* operation, const deadline& until);

    /// Checks whether the process has ended, and takes its status. Throws if the status is lost.
    bool has_ended(const char* operation);

    void send_signal(const char* operation, int signal);
    pid_t release() noexcept;

    /// Throws `wrong_scheduler` if the process belongs to a scheduler that runs on another thread.
    void check_here(const char* operation) const;

    template <class Stream> Stream& checked(std::optional<Stream>& stream, const char* operation) const;

    /// For messages: the operation, the program and the process ID.
    [[nodiscard]] std::string named(const char* operation) const;

    [[nodiscard]] pid_t id() const noexcept { return id_; }
    [[nodiscard]] const exit_status& status() const noexcept { return status_; }

    std::optional<io::writer> input;
    std::optional<io::reader> output;
    std::optional<io::reader> error;

private:
    enum class state { none, running, ended, lost };  // lost: other code has taken the status

    class pending_call;

    long call_waitid(siginfo_t& about, int options) const noexcept;
    void update_state() noexcept;
    long try_signal(int signal) noexcept;
    void wait_for_end() noexcept;

    const std::string program_;
    pid_t id_ = 0;
    bool own_group_ = false;
    state state_ = state::none;
    exit_status status_;
    detail::exit_watcher end_;
    detail::owner owner_;
    std::size_t pending_calls_ = 0;  // number of fibers that wait
};

// ---- start ---------------------------------------------------------------------------------------------------------

process process::spawn(std::vector<std::string> arguments, process_options options) {
    scheduler& here = scheduler::enter("process::spawn");
    detail::process_start request{arguments, options, {}};
    detail::check_start(request);
    sys::blocked_signals(&request.blocked);
    process made;
    made.child_ = std::make_unique<child>(arguments.front());
    made.child_->start(here, request);
    return made;
}

void process::child::start(scheduler& here, const detail::process_start& request) {
    owner_.bind_owner(here, "process::spawn");
    // The program, its directory and its files may be on a disk that is slow.
    detail::started_process started =
        detail::offload_in(detail::lane::files, [&] { return detail::start_process(request); });
    id_ = started.id;
    own_group_ = request.options.own_group;
    end_ = std::move(started.end);
    // From here on the destructor kills the process if anything fails.
    state_ = end_.fd ? state::running : state::lost;
    const auto take_over = [](auto& stream, detail::unique_fd& end) {
        if (!end) return;
        stream.emplace(end.get());
        static_cast<void>(end.release());
    };
    take_over(input, started.pipes[0]);
    take_over(output, started.pipes[1]);
    take_over(error, started.pipes[2]);
}

// ---- the end -------------------------------------------------------------------------------------------------------

/// Marks that a fiber is suspended in a call on this object, which must not be destroyed meanwhile.
class process::child::pending_call {
public:
    explicit pending_call(child& called) noexcept : called_{called} { ++called_.pending_calls_; }
    ~pending_call() { --called_.pending_calls_; }
    pending_call(const pending_call&) = delete;
    pending_call& operator=(const pending_call&) = delete;

private:
    child& called_;
};

bool process::child::wait(const char* operation, const deadline& until) {
    if (owner_.bind_owner(scheduler::enter(operation), operation)) pending_calls_ = 0;
    const pending_call inside{*this};
    while (!has_ended(operation)) {
        std::error_code ec;
        io::wait_readable(end_.fd.get(), until, ec);
        // The process may have ended just when the deadline passed.
        if (ec == std::errc::timed_out) return has_ended(operation);
        if (ec) detail::throw_error(ec, named(operation));
    }
    return true;
}

bool process::child::has_ended(const char* operation) {
    update_state();
    if (state_ != state::lost) return state_ == state::ended;
    throw std::system_error{std::make_error_code(std::errc::no_child_process),
                            named(operation) + ": the exit status is lost: other code has waited for any child, or the "
                                               "process ignores SIGCHLD and the system has discarded the status"};
}

long process::child::call_waitid(siginfo_t& about, int options) const noexcept {
    return end_.is_pidfd ? sys::waitid(sys::by_pidfd, end_.fd.get(), &about, options)
                         : sys::waitid(P_PID, id_, &about, options);
}

void process::child::update_state() noexcept {
    if (state_ != state::running) return;
    siginfo_t about{};
    const long result = call_waitid(about, WEXITED | WNOHANG);
    if (result == -ECHILD) state_ = state::lost;
    if (result != 0 || about.si_pid == 0) return;
    state_ = state::ended;
    if (about.si_code == CLD_EXITED)
        status_ = {.code = about.si_status};
    else
        status_ = {.code = -1, .signal = about.si_status, .core_dumped = about.si_code == CLD_DUMPED};
}

process::child::~child() {
    COIR_CHECK(pending_calls_ == 0 || owner_.is_from_parent_process(),
               "process: destroyed while a fiber waits for its end; join the fiber first");
    COIR_CHECK(!owner_.is_elsewhere(), "process: destroyed on another thread than the one that runs its scheduler");
    if (state_ != state::running) return;
    // If the process may not be killed, it may still end when its streams are closed, so they are closed before the
    // wait.
    static_cast<void>(try_signal(SIGKILL));
    input.reset();
    output.reset();
    error.reset();
    wait_for_end();
}

void process::child::wait_for_end() noexcept {
    const scheduler* const here = scheduler::current();
    // A fiber that is ending (its unretrieved result is being destroyed) cannot be suspended any more.
    if (here != nullptr && here->running().state == detail::task_state::ready) {
        const shield_scope shield;
        std::error_code ec;
        try {
            for (update_state(); state_ == state::running && !ec; update_state())
                io::wait_readable(end_.fd.get(), never, ec);
        } catch (const std::bad_alloc&) {
            // The process was killed, so the thread does not wait for long below.
        }
    }
    if (state_ != state::running) return;
    siginfo_t unused{};
    while (call_waitid(unused, WEXITED) == -EINTR) {
    }
}

pid_t process::child::release() noexcept {
    COIR_CHECK(pending_calls_ == 0 || owner_.is_from_parent_process(),
               "process: released while a fiber waits for its end; join the fiber first");
    const bool is_running = state_ == state::running;
    state_ = state::none;
    return is_running ? id_ : 0;
}

// ---- signals -------------------------------------------------------------------------------------------------------

void process::child::send_signal(const char* operation, int signal) {
    check_here(operation);
    const long result = try_signal(signal);
    if (result != -ESRCH) detail::throw_if(detail::error_of(result), named(operation));
}

long process::child::try_signal(int signal) noexcept {
    if (state_ != state::running) return -ESRCH;
    // The process ID is not reused as long as the child can be waited for. In a forked child, where a copy of this
    // object exists, the wait fails with ECHILD, so no signal is sent.
    siginfo_t unused{};
    if (call_waitid(unused, WEXITED | WNOHANG | WNOWAIT) == -ECHILD) return -ESRCH;
    if (end_.is_pidfd && !own_group_) {
        const long result = sys::pidfd_send_signal(end_.fd.get(), signal);
        if (!sys::may_be_unavailable(result)) return result;
    }
    return sys::kill(own_group_ ? -id_ : id_, signal);
}

// ---- misuse --------------------------------------------------------------------------------------------------------

void process::child::check_here(const char* operation) const {
    if (!owner_.is_elsewhere()) return;
    throw wrong_scheduler{named(operation) + ": the object belongs to the scheduler of another thread"};
}

template <class Stream> Stream& process::child::checked(std::optional<Stream>& stream, const char* operation) const {
    if (!stream) {
        throw std::logic_error{named(operation) + ": this stream is not a pipe; start the process with "
                                                  "redirection::pipe()"};
    }
    return *stream;
}

std::string process::child::named(const char* operation) const {
    return std::string{operation} + " of '" + program_ + "', process " + std::to_string(id_);
}

process::child& process::checked(const char* operation) const {
    if (child_ == nullptr) {
        const std::string what = std::string{operation} + ": the handle is empty (moved from, released, or never set)";
        detail::throw_misuse(std::errc::invalid_argument, what.c_str());
    }
    return *child_;
}

// ---- the handle ----------------------------------------------------------------------------------------------------

process::process() noexcept = default;
process::process(process&& other) noexcept = default;
process& process::operator=(process&& other) noexcept = default;
process::~process() = default;

pid_t process::id() const noexcept { return child_ != nullptr ? child_->id() : 0; }

io::writer& process::standard_input() {
    child& of = checked("process::standard_input");
    return of.checked(of.input, "process::standard_input");
}

io::reader& process::standard_output() {
    child& of = checked("process::standard_output");
    return of.checked(of.output, "process::standard_output");
}

io::reader& process::standard_error() {
    child& of = checked("process::standard_error");
    return of.checked(of.error, "process::standard_error");
}

exit_status process::wait(deadline until) {
    constexpr char operation[] = "process::wait";
    child& awaited = checked(operation);
    if (!awaited.wait(operation, until)) throw timed_out{awaited.named(operation).c_str()};
    return awaited.status();
}

std::optional<exit_status> process::try_wait() {
    child& own = checked("process::try_wait");
    own.check_here("process::try_wait");
    if (!own.has_ended("process::try_wait")) return std::nullopt;
    return own.status();
}

void process::send_signal(int signal) { checked("process::send_signal").send_signal("process::send_signal", signal); }
void process::terminate() { checked("process::terminate").send_signal("process::terminate", SIGTERM); }
void process::kill() { checked("process::kill").send_signal("process::kill", SIGKILL); }

exit_status process::terminate_then_kill(deadline grace) {
    constexpr char operation[] = "process::terminate_then_kill";
    child& ending = checked(operation);
    ending.send_signal(operation, SIGTERM);
    if (!ending.wait(operation, grace)) {
        ending.send_signal(operation, SIGKILL);
        ending.wait(operation, never);
    }
    return ending.status();
}

pid_t process::release() noexcept {
    const pid_t id = child_ != nullptr ? child_->release() : 0;
    child_.reset();
    return id;
}

std::string exit_status::to_string() const {
    if (signal == 0) return "exit code " + std::to_string(code);
    const char* const name = ::sigabbrev_np(signal);
    const std::string by = name != nullptr ? "SIG" + std::string{name} : "signal " + std::to_string(signal);
    return "killed by " + by + (core_dumped ? ", core dumped" : "");
}

}  // namespace coir
