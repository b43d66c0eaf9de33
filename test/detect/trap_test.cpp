#include <coir/blocking.hpp>
#include <coir/fiber.hpp>
#include <coir/this_fiber.hpp>

#include "detect/engine/watch/thread_probe.hpp"
#include "detect/record/record_format.hpp"
#include "detect/reports.hpp"
#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"
#include "support/nameless/nameless.hpp"
#include "support/seccomp.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <memory>
#include <poll.h>
#include <pthread.h>
#include <semaphore>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <thread>
#include <ucontext.h>
#include <unistd.h>

using namespace std::chrono_literals;
using coir::test::filter_system_call;
using coir::test::in_child;
using coir::test::reports;
using coir::test::require;

// An error in trap handling kills the process, so most of these tests run in a child process.

namespace {

bool traps_are_here() {
    static const bool answer = [] {
        const coir::test::captured_log quiet;
        bool found = false;
        coir::run(reports{{.engine = coir::blocking_engine::trap}}.options(),
                  [&] { found = coir::active_engine().engine == coir::blocking_engine::trap; });
        return found;
    }();
    if (!answer) MESSAGE("no traps on this machine: nothing to check");
    return answer;
}

/// Runs `body` as a fiber with traps, and returns the reports.
reports trapped(const std::function<void()>& body) {
    reports seen{{.engine = coir::blocking_engine::trap}};
    coir::run(seen.options(), body);
    return seen;
}

void require_traps() {
    const coir::engine_status now = coir::active_engine();
    require(now.engine == coir::blocking_engine::trap, "no traps: " + now.missing);
}

/// The same in a child process, which must not crash and in which `body` must return.
void survives(const std::function<void()>& body) {
    if (!traps_are_here()) return;
    const coir::test::ending end = in_child([&] {
        const coir::test::captured_log quiet;
        trapped([&] {
            require_traps();
            body();
        });
    });
    INFO(end.output);
    CHECK(end.signal == 0);
    CHECK(end.exit_code == 0);
}

constexpr timespec moment{0, 1'000'000};

[[gnu::noinline]] void sleep_by_number() {
    ::syscall(SYS_nanosleep, &moment, nullptr);
    __asm__ volatile("");  // prevents a tail call
}

#if defined(__x86_64__)
[[gnu::noinline]] long sleep_by_instruction() {
    long result = SYS_nanosleep;
    __asm__ volatile("syscall" : "+a"(result) : "D"(&moment), "S"(0L) : "rcx", "r11", "memory");
    return result;
}
#endif

#if defined(__x86_64__)
/// A system call without the C library, and so without its hooks and without errno.
long call_by_instruction(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
    register long fourth __asm__("r10") = d;
    long result = number;
    __asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
    return result;
}

/// A system call by the gate for 32-bit programs, with a number of theirs.
long call_by_int80(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
    long result = number;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    return result;
}

bool has_int80() {
    // Where the kernel lacks the gate, the instruction is a fault.
    static const bool answer = !in_child([] { call_by_int80(20); }).died();
    if (!answer) MESSAGE("no int $0x80 on this machine: nothing to check");
    return answer;
}
#endif

[[gnu::noinline]] void sleep_deeply(int depth) {
    if (depth > 0)
        sleep_deeply(depth - 1);
    else
        sleep_by_number();
    __asm__ volatile("");  // prevents a tail call
}

bool is_on(const coir::blocking_report& report, const std::string& function) {
    return std::ranges::any_of(report.stack, [&](const coir::stack_frame& each) {
        return each.function.find(function) != each.function.npos;
    });
}

std::atomic<int> signals_seen;
void count_signal(int) {
    ++signals_seen;
    [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, "", 0);  // a system call in a handler
}

void handle(int signal, void (*with)(int), int flags = 0) {
    struct sigaction action {};
    action.sa_handler = with;
    action.sa_flags = flags;
    ::sigfillset(&action.sa_mask);
    require(::sigaction(signal, &action, nullptr) == 0, "sigaction");
}

void alarm_after(std::chrono::microseconds first, std::chrono::microseconds each = 0us) {
    const itimerval timer{{0, each.count()}, {0, first.count()}};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
}

sigset_t all_signals() {
    sigset_t all;
    ::sigfillset(&all);
    return all;
}

sigset_t mask_now() {
    sigset_t now;
    ::sigprocmask(SIG_BLOCK, nullptr, &now);
    return now;
}

bool is_asleep(pid_t thread) {
    return coir::detail::thread_probe{thread}.now() == coir::detail::thread_probe::state::asleep;
}

int status_of(pid_t child) {
    int status = -1;
    require(::waitpid(child, &status, 0) == child, "waitpid");
    return status;
}

}  // namespace

// ---- detection ----------------------------------------------------------------------------------------------------

#if defined(__x86_64__)
TEST_CASE(
    "trap: a call is named after the library's exported function, though an internal one without a name made it") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    int answer = -1;
    const reports seen = trapped([&] { answer = res_query("", 0, 0, nullptr, 0); });
    CHECK(answer == 0);
    REQUIRE(seen.blocked("res_query").size() == 1);
    CHECK(seen.blocked("res_query").front().category == coir::blocking_class::dns);
    CHECK(seen.blocked("poll").empty());
}
#endif

TEST_CASE("trap: a system call without a hook is reported, with the user's function on the stack") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen = trapped([] { sleep_by_number(); });
    REQUIRE(seen.blocked("nanosleep").size() == 1);
    const coir::blocking_report report = seen.blocked("nanosleep").front();
    CHECK(report.category == coir::blocking_class::sleep);
    CHECK(report.held >= 1ms);
    CHECK(is_on(report, "sleep_by_number"));
}

#if defined(__x86_64__)
TEST_CASE("trap: a system call from inline assembly is reported") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen = trapped([] { CHECK(sleep_by_instruction() == 0); });
    REQUIRE(seen.blocked("nanosleep").size() == 1);
    CHECK(is_on(seen.blocked("nanosleep").front(), "sleep_by_instruction"));
}
#endif

TEST_CASE("trap: a fiber is still trapped after a suspension") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen = trapped([] {
        auto other = coir::spawn([] { coir::this_fiber::yield(); });
        coir::this_fiber::sleep_for(1ms);
        sleep_by_number();
        other.join();
    });
    CHECK(seen.blocked("nanosleep").size() == 1);
}

TEST_CASE("trap: the stack is complete, from the system call to the start of the fiber") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen = trapped([] { sleep_deeply(80); });
    REQUIRE(seen.blocked("nanosleep").size() == 1);
    const coir::blocking_report report = seen.blocked("nanosleep").front();
    CHECK(std::ranges::count_if(report.stack, [](const coir::stack_frame& each) {
              return each.function.find("sleep_deeply") != each.function.npos;
          }) == 81);
    CHECK_FALSE(is_on(report, "run_scheduler"));
    CHECK(is_on(report, "coir_context_main"));
}

TEST_CASE("trap: the library's own calls for a fiber are not reported") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen = trapped([] {
        coir::this_fiber::sleep_for(2ms);
        for (int i = 0; i < 100; ++i) coir::spawn([] { coir::this_fiber::yield(); }).join();
    });
    CHECK(seen.all().empty());
}

TEST_CASE("trap: a permitted call, and one of a class that is not selected, are not reported") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    CHECK(trapped([] {
              const coir::allow_blocking permit{"a test"};
              sleep_by_number();
          })
              .all()
              .empty());
    reports no_sleep{{.engine = coir::blocking_engine::trap, .classes{coir::blocking_class::disk}}};
    coir::run(no_sleep.options(), [] { sleep_by_number(); });
    CHECK(no_sleep.all().empty());
}

TEST_CASE("trap: with policy fail, the next suspension throws") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen{{.policy = coir::blocking_policy::fail, .engine = coir::blocking_engine::trap}};
    coir::run(seen.options(), [] {
        sleep_by_number();
        CHECK_THROWS_AS(coir::this_fiber::yield(), coir::blocking_call);
        CHECK_NOTHROW(coir::this_fiber::yield());
    });
}

TEST_CASE("trap: a thread started by a fiber is not trapped") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen = trapped([] {
        std::atomic<bool> joins{false};
        std::thread other{[&joins, joiner = ::gettid()] {
            sleep_by_number();
            while (!joins || !is_asleep(joiner)) std::this_thread::yield();
        }};
        joins = true;
        other.join();
    });
    CHECK(seen.blocked("nanosleep").empty());
    CHECK(seen.blocked("pthread_join").size() == 1);
}

TEST_CASE("trap: a wait with sched_yield is a hog if it holds the thread for a long time") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen = trapped([] {
        const auto end = std::chrono::steady_clock::now() + 30ms;
        while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
    });
    CHECK(seen.of(coir::blocking_kind::hog, "sched_yield").size() == 1);
    CHECK(trapped([] { std::this_thread::yield(); }).all().empty());
}

TEST_CASE("trap: two threads can have traps, and end in any order") {
    survives([] {
        std::thread other{[] { trapped([] { sleep_by_number(); }); }};
        other.join();
        sleep_by_number();
        errno = 0;
        require(::close(-1) == -1 && errno == EBADF, "a trap after the other thread's end");
    });
}

TEST_CASE("trap: after the run, the disposition of SIGSYS is restored") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    struct sigaction before {};
    struct sigaction after {};
    ::sigaction(SIGSYS, nullptr, &before);
    trapped([] { sleep_by_number(); });
    ::sigaction(SIGSYS, nullptr, &after);
    const bool same = before.sa_handler == after.sa_handler;
    CHECK(same);
    CHECK(::syscall(SYS_getppid) == ::getppid());
}

// ---- transparency -------------------------------------------------------------------------------------------------

TEST_CASE("trap: errno is that of the program's calls") {
    survives([] {
        errno = 1234;
        ::syscall(SYS_getppid);
        require(errno == 1234, "a call that succeeds leaves errno alone");
        require(::close(-1) == -1 && errno == EBADF, "a call that fails sets it");
    });
}

TEST_CASE("trap: a forked child works, and is not trapped") {
    survives([] {
        const pid_t child = ::fork();
        if (child == 0) {
            ::syscall(SYS_getppid);
            ::_exit(3);
        }
        require(WEXITSTATUS(status_of(child)) == 3, "fork");
    });
}

TEST_CASE("trap: vfork, and exec in the child, work") {
    survives([] {
        const pid_t child = ::vfork();
        if (child == 0) {
            ::execl("/bin/sh", "sh", "-c", "exit 6", nullptr);
            ::_exit(9);
        }
        require(WEXITSTATUS(status_of(child)) == 6, "vfork");
    });
}

#if defined(__x86_64__)
namespace {

/// Makes a child with a call that lets it share the parent's memory and stack. The child uses the stack below its own
/// frame, and ends; only then does the parent continue.
template <class Call> void require_shared_memory(const Call& make_child) {
    volatile int told = 0;
    const long child = make_child();
    if (child == 0) {
        volatile char used[512];
        for (volatile char& each : used) each = 'x';
        told = 42;
        for (;;) call_by_instruction(SYS_exit_group, 5);
    }
    require(child > 0, "no child");
    require(told == 42, "the parent sees what the child has written");
    require(WEXITSTATUS(status_of(static_cast<pid_t>(child))) == 5, "the child's exit status");
}

[[gnu::noinline]] void wait_in_vfork() {
    const long child = call_by_instruction(SYS_vfork);
    if (child == 0) {
        call_by_instruction(SYS_nanosleep, reinterpret_cast<long>(&moment));
        for (;;) call_by_instruction(SYS_exit_group, 0);
    }
    const coir::allow_blocking permit{"not what is asked about"};
    status_of(static_cast<pid_t>(child));
}

[[gnu::noinline]] void poll_by_int80(std::chrono::milliseconds limit) {
    require(call_by_int80(168, 0, 0, limit.count()) == 0, "poll");
    __asm__ volatile("");  // prevents a tail call
}

constexpr long shares_memory = CLONE_VM | CLONE_VFORK | SIGCHLD;

}  // namespace

TEST_CASE("trap: a child of vfork shares the memory of its parent, which waits for it") {
    survives([] {
        for (int i = 0; i < 3; ++i) require_shared_memory([] { return call_by_instruction(SYS_vfork); });
        require_shared_memory([] { return call_by_instruction(SYS_clone, shares_memory); });
        require_shared_memory([] {
            clone_args arguments{};
            arguments.flags = CLONE_VM | CLONE_VFORK;
            arguments.exit_signal = SIGCHLD;
            return call_by_instruction(SYS_clone3, reinterpret_cast<long>(&arguments), sizeof arguments);
        });
        sleep_by_number();
    });
}

#if !defined(COIR_TSAN)
TEST_CASE("trap: a child of vfork may reset all signals; its parent keeps its own") {
    survives([] {
        handle(SIGSYS, count_signal);
        const pid_t child = ::vfork();
        if (child == 0) {
            struct sigaction none {};
            none.sa_handler = SIG_DFL;
            for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &none, nullptr);
            ::_exit(4);
        }
        require(WEXITSTATUS(status_of(child)) == 4, "vfork");
        sleep_by_number();
        ::raise(SIGSYS);
        require(signals_seen == 1, "the parent's handler");
    });
}

TEST_CASE("trap: a child of vfork tells its parent why it could not run a program") {
    survives([] {
        volatile int error = 0;
        const pid_t child = ::vfork();
        if (child == 0) {
            ::execl("/none/such", "such", nullptr);
            error = errno;
            ::_exit(127);
        }
        require(error == ENOENT, "errno of the child");
        require(WEXITSTATUS(status_of(child)) == 127, "vfork");
    });
}
#endif

TEST_CASE("trap: vfork is reported where it is called, if the child lets its parent wait") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen = trapped([] {
        wait_in_vfork();
        ::syscall(SYS_getppid);
    });
    REQUIRE(seen.blocked("vfork").size() == 1);
    CHECK(seen.blocked("vfork").front().category == coir::blocking_class::process);
    CHECK(is_on(seen.blocked("vfork").front(), "wait_in_vfork"));
}

TEST_CASE("trap: int $0x80 makes the 32-bit call that it would make without traps") {
    if (!has_int80()) return;
    survives([] {
        require(call_by_int80(20) == ::getpid(), "getpid");
        require(call_by_int80(6, -1) == -EBADF, "close");
        sleep_by_number();
    });
}

TEST_CASE("trap: a call by int $0x80 that sleeps for long is reported, and a short one is not") {
    if (!has_int80() || !traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen = trapped([] { poll_by_int80(20ms); });
    REQUIRE(seen.all().size() == 1);
    CHECK(seen.blocked("int $0x80").size() == 1);
    CHECK(is_on(seen.all().front(), "poll_by_int80"));
    CHECK(trapped([] { poll_by_int80(0ms); }).all().empty());
}

TEST_CASE("trap: int $0x80 makes children") {
    if (!has_int80()) return;
    survives([] {
        const long child = call_by_int80(2);
        if (child == 0) ::_exit(7);
        require(WEXITSTATUS(status_of(static_cast<pid_t>(child))) == 7, "fork");
        require_shared_memory([] { return call_by_int80(190); });
        require_shared_memory([] { return call_by_int80(120, shares_memory); });
        sleep_by_number();
    });
}

TEST_CASE("trap: int $0x80 makes a child on its own stack") {
    if (!has_int80()) return;
    survives([] {
        constexpr std::size_t bytes = 64 << 10;
        void* const stack =
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        require(stack != MAP_FAILED, "mmap");
        const long top = reinterpret_cast<long>(stack) + static_cast<long>(bytes);
        long child = 120;
        // The child must not use the frame of its parent.
        __asm__ volatile("int $0x80\n\t"
                         "test %%eax, %%eax\n\t"
                         "jnz 1f\n\t"
                         "push $6\n\t"
                         "pop %%rbx\n\t"
                         "mov $252, %%eax\n\t"  // exit_group
                         "int $0x80\n"
                         "1:"
                         : "+a"(child)
                         : "b"(shares_memory), "c"(top), "d"(0L)
                         : "memory", "cc");
        require(WEXITSTATUS(status_of(static_cast<pid_t>(child))) == 6, "clone");
    });
}

TEST_CASE("trap: int $0x80 cannot block SIGSYS") {
    if (!has_int80()) return;
    survives([] {
        void* const low = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        require(low != MAP_FAILED, "mmap");
        const auto address = reinterpret_cast<long>(low);
        const sigset_t before = mask_now();
        std::memset(low, 0xff, 64);
        require(call_by_int80(175, SIG_SETMASK, address, 0, 8) == 0, "rt_sigprocmask");
        sleep_by_number();
        sigset_t within = mask_now();
        require(::sigismember(&within, SIGUSR1) == 1 && ::sigismember(&within, SIGRTMAX) == 1, "blocked");
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        require(call_by_int80(126, SIG_BLOCK, address) == 0, "sigprocmask");
        sleep_by_number();
        within = mask_now();
        require(::sigismember(&within, SIGUSR1) == 1 && ::sigismember(&within, SIGRTMAX) == 0, "the first 32");
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        require(call_by_int80(175, SIG_SETMASK, 16, 0, 8) == -EFAULT, "a wrong address");
    });
}
#endif

TEST_CASE("trap: posix_spawn starts a program, and reports a missing one") {
    survives([] {
        pid_t child = -1;
        std::array<char*, 4> arguments{const_cast<char*>("sh"), const_cast<char*>("-c"), const_cast<char*>("exit 7"),
                                       nullptr};
        require(::posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments.data(), environ) == 0, "posix_spawn");
        require(WEXITSTATUS(status_of(child)) == 7, "posix_spawn's child");
        require(::posix_spawn(&child, "/none", nullptr, nullptr, arguments.data(), environ) == ENOENT, "no program");
    });
}

TEST_CASE("trap: posix_spawn is reported with its name") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    const reports seen = trapped([] {
        pid_t child = -1;
        std::array<char*, 2> arguments{const_cast<char*>("true"), nullptr};
        REQUIRE(::posix_spawnp(&child, "true", nullptr, nullptr, arguments.data(), environ) == 0);
        const coir::allow_blocking permit{"not what is asked about"};
        status_of(child);
    });
    REQUIRE(seen.blocked("posix_spawn").size() == 1);
    CHECK(seen.blocked("posix_spawn").front().category == coir::blocking_class::process);
    CHECK(seen.all().size() == 1);
}

TEST_CASE("trap: system and popen work") {
    survives([] {
        require(WEXITSTATUS(::system("exit 4")) == 4, "system");
        FILE* const output = ::popen("echo x", "r");
        require(output != nullptr && std::fgetc(output) == 'x' && ::pclose(output) == 0, "popen");
    });
}

TEST_CASE("trap: a fiber may call exec") {
    survives([] { ::execl("/bin/sh", "sh", "-c", "exit 0", nullptr); });
}

TEST_CASE("trap: a fiber that blocks all signals is still trapped, and gets its mask back") {
    survives([] {
        const sigset_t all = all_signals();
        const sigset_t before = mask_now();
        ::sigprocmask(SIG_SETMASK, &all, nullptr);
        ::nanosleep(&moment, nullptr);
        const sigset_t within = mask_now();
        ::sigprocmask(SIG_SETMASK, &before, nullptr);
        const sigset_t after = mask_now();
        require(::sigismember(&within, SIGUSR1) == 1, "SIGUSR1 is blocked");
        require(::sigismember(&within, SIGSYS) == 0, "SIGSYS never is");
        require(::sigismember(&after, SIGUSR1) == 0, "the mask is restored");
    });
}

TEST_CASE("trap: waits with a full signal mask work") {
    survives([] {
        const sigset_t all = all_signals();
        require(::ppoll(nullptr, 0, &moment, &all) == 0, "ppoll");
        require(::pselect(0, nullptr, nullptr, nullptr, &moment, &all) == 0, "pselect");
        sigset_t all_but_alarm = all;
        ::sigdelset(&all_but_alarm, SIGALRM);
        handle(SIGALRM, count_signal);
        alarm_after(5ms, 5ms);
        require(::sigsuspend(&all_but_alarm) == -1 && errno == EINTR && signals_seen > 0, "sigsuspend");
        alarm_after(0us);
        ::syscall(SYS_getppid);
    });
}

TEST_CASE("trap: handlers that block all signals work: set before the run, in it, or by another thread") {
    if (!traps_are_here()) return;
    const coir::test::ending end = in_child([] {
        const coir::test::captured_log quiet;
        handle(SIGUSR1, count_signal);
        trapped([] {
            handle(SIGUSR2, count_signal);
            std::thread{[] { handle(SIGHUP, count_signal); }}.join();
            for (const int each : {SIGUSR1, SIGUSR2, SIGHUP}) {
                for (int i = 0; i < 100; ++i) ::raise(each);
            }
            require(signals_seen == 300, "each was handled");
        });
    });
    INFO(end.output);
    CHECK(end.signal == 0);
    CHECK(end.exit_code == 0);
}

#if defined(__x86_64__)
namespace {

struct raw_sigaction {
    void (*handler)(int) = nullptr;
    unsigned long flags = 0;
    void (*restorer)() = nullptr;
    unsigned long mask = 0;
};

constexpr unsigned long bit_of(int signal) { return 1UL << (signal - 1); }
constexpr unsigned long sigsys_alone = bit_of(SIGSYS);
constexpr unsigned long all_but_unblockable() { return ~(bit_of(SIGKILL) | bit_of(SIGSTOP)); }

raw_sigaction action_of(int signal) {
    raw_sigaction now;
    call_by_instruction(SYS_rt_sigaction, signal, 0, reinterpret_cast<long>(&now), sizeof now.mask);
    return now;
}

void set_action(int signal, const raw_sigaction& wanted) {
    call_by_instruction(SYS_rt_sigaction, signal, reinterpret_cast<long>(&wanted), 0, sizeof wanted.mask);
}

/// As the runtime of another language does it: with a full mask, and without a function of the C library.
void set_action_with_full_mask(int signal) {
    handle(signal, count_signal);
    raw_sigaction wanted = action_of(signal);
    wanted.mask = ~0UL;
    set_action(signal, wanted);
}

}  // namespace

TEST_CASE("trap: a handler with a full mask works when another thread has set it by a system call" *
          doctest::skip(coir::test::defers_signals)) {
    survives([] {
        std::thread{[] { set_action_with_full_mask(SIGUSR1); }}.join();
        std::thread sender{[fiber = ::pthread_self()] { ::pthread_kill(fiber, SIGUSR1); }};
        while (signals_seen == 0) {
        }
        sender.join();
        const raw_sigaction now = action_of(SIGUSR1);
        require(now.handler == count_signal && now.mask == (all_but_unblockable() & ~sigsys_alone), "nothing else");
    });
}

TEST_CASE("trap: the watchdog finds a handler with a full mask" * doctest::skip(coir::test::defers_signals)) {
    survives([] {
        std::atomic<bool> computes{false};  // the fiber makes no system call any more
        std::thread sender{[&, fiber = ::pthread_self()] {
            while (!computes) std::this_thread::yield();
            set_action_with_full_mask(SIGUSR1);
            while ((action_of(SIGUSR1).mask & sigsys_alone) != 0) std::this_thread::yield();
            ::pthread_kill(fiber, SIGUSR1);
        }};
        computes = true;
        while (signals_seen == 0) {
        }
        sender.join();
    });
}

TEST_CASE("trap: an action for SIGSYS that another thread sets by a system call does not take the traps away") {
    survives([] {
        std::atomic<bool> computes{false};  // the fiber makes no system call any more
        std::atomic<bool> mended{false};
        std::thread other{[&] {
            while (!computes) std::this_thread::yield();
            const raw_sigaction ours = action_of(SIGSYS);
            set_action(SIGSYS, raw_sigaction{});
            while (action_of(SIGSYS).handler != ours.handler) std::this_thread::yield();
            mended = true;
        }};
        computes = true;
        while (!mended) {
        }
        sleep_by_number();
        other.join();
    });
}

TEST_CASE("trap: a handler may return to a full mask" * doctest::skip(coir::test::defers_signals)) {
    survives([] {
        struct sigaction action {};
        action.sa_flags = SA_SIGINFO;
        action.sa_sigaction = [](int, siginfo_t*, void* context) {
            ::sigfillset(&static_cast<ucontext_t*>(context)->uc_sigmask);
        };
        ::sigaction(SIGUSR1, &action, nullptr);
        std::atomic<bool> sent{false};
        std::thread sender{[&, fiber = ::pthread_self()] {
            ::pthread_kill(fiber, SIGUSR1);
            sent = true;
        }};
        while (!sent) {
        }
        sleep_by_number();
        sender.join();
        const sigset_t now = mask_now();
        require(::sigismember(&now, SIGUSR2) == 1, "the mask of the handler");
    });
}

TEST_CASE("trap: a call with a wrong address fails with EFAULT") {
    survives([] {
        const long wrong = 16;
        // Libraries find out whether an address is readable by a call that fails in either case.
        require(call_by_instruction(SYS_rt_sigprocmask, -1, wrong, 0, 8) == -EFAULT, "unreadable");
        const unsigned long set = 0;
        require(call_by_instruction(SYS_rt_sigprocmask, -1, reinterpret_cast<long>(&set), 0, 8) == -EINVAL, "readable");
        require(call_by_instruction(SYS_rt_sigprocmask, SIG_BLOCK, wrong, 0, 8) == -EFAULT, "rt_sigprocmask");
        require(call_by_instruction(SYS_rt_sigprocmask, SIG_BLOCK, 0, wrong, 8) == -EFAULT, "the old mask");
        require(call_by_instruction(SYS_rt_sigaction, SIGUSR1, wrong, 0, 8) == -EFAULT, "rt_sigaction");
        require(::syscall(SYS_ppoll, nullptr, 0, &moment, wrong, 8) == -1 && errno == EFAULT, "ppoll");
        require(::syscall(SYS_pselect6, 0, nullptr, nullptr, nullptr, &moment, wrong) == -1 && errno == EFAULT,
                "pselect6");
        require(call_by_instruction(SYS_clone3, 0, 0) == -EINVAL, "clone3 without arguments");
        require(call_by_instruction(SYS_newfstatat, AT_FDCWD, 0, wrong, 0) == -EFAULT, "newfstatat of no path");
        require(call_by_instruction(SYS_clone3, wrong, sizeof(clone_args)) == -EFAULT, "clone3");
    });
}

TEST_CASE("trap: a call with a null or wild pointer has the same result as without traps") {
    struct call_with_pointer {
        long number;
        std::array<long, 6> arguments;
        std::size_t pointer;  // the index of the argument that is replaced
    };
    // Calls that the kernel refuses for another reason at the latest.
    static constexpr long at_once[2] = {0, 0};
    static constexpr int word = 0;
    const auto address = [](const void* of) { return reinterpret_cast<long>(of); };
    const long zero = address(at_once);
    const long cell = address(&word);
    const auto calls = std::to_array<call_with_pointer>({
        {SYS_nanosleep, {0}, 0},
        {SYS_clock_nanosleep, {CLOCK_MONOTONIC, 0, 0}, 2},
        {SYS_clock_nanosleep, {CLOCK_REALTIME, TIMER_ABSTIME, 0}, 2},
        {SYS_poll, {0, 1, 0}, 0},
        {SYS_ppoll, {0, 1, zero, 0, 8}, 0},
        {SYS_ppoll, {0, 0xffffffff, 0, 0, 8}, 2},
        {SYS_select, {-1, 0, 0, 0, 0}, 4},
        {SYS_select, {1, 0, 0, 0, zero}, 1},
        {SYS_pselect6, {-1, 0, 0, 0, 0, 0}, 4},
        {SYS_epoll_wait, {-1, 0, 1, -1}, 1},
        {SYS_epoll_pwait, {-1, 0, 1, -1, 0, 8}, 4},
        {SYS_epoll_pwait2, {-1, 0, 1, 0, 0, 8}, 3},
        {SYS_io_uring_enter, {-1, 0, 1, 1, 0, 8}, 4},
        {SYS_connect, {-1, 0, 16}, 1},
        {SYS_recvfrom, {-1, 0, 1, 0, 0, 0}, 1},
        {SYS_sendto, {-1, 0, 1, 0, 0, 0}, 1},
        {SYS_recvmsg, {-1, 0, 0}, 1},
        {SYS_sendmsg, {-1, 0, 0}, 1},
        {SYS_recvmmsg, {-1, 0, 1, 0, 0}, 4},
        {SYS_sendmmsg, {-1, 0, 1, 0}, 1},
        {SYS_readv, {-1, 0, 1}, 1},
        {SYS_writev, {-1, 0, 1}, 1},
        {SYS_pread64, {-1, 0, 1, 0}, 1},
        {SYS_splice, {-1, 0, -1, 0, 1, 0}, 1},
        {SYS_sendfile, {-1, -1, 0, 1}, 2},
        {SYS_futex, {cell, FUTEX_WAIT, 1, 0}, 3},
        {SYS_futex, {cell, FUTEX_WAIT_BITSET, 1, 0, 0, -1}, 3},
        {SYS_futex, {cell, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, 0, 0, -1}, 3},
        {SYS_futex, {0, FUTEX_WAIT, 1, zero}, 0},
        {SYS_fcntl, {-1, F_SETLKW, 0}, 2},
        {SYS_fcntl, {-1, F_OFD_SETLKW, 0}, 2},
        {SYS_semop, {-1, 0, 1}, 1},
        {SYS_semop, {-1, 0, 1L << 40}, 1},
        {SYS_semtimedop, {-1, 0, 400, zero}, 1},
        {SYS_semtimedop, {-1, cell, 1, 0}, 3},
        {SYS_msgsnd, {-1, 0, 1, 0}, 1},
        {SYS_msgrcv, {-1, 0, 1, 0, 0}, 1},
        {SYS_mq_timedsend, {-1, cell, 1, 0, 0}, 4},
        {SYS_mq_timedreceive, {-1, cell, 1, 0, 0}, 4},
        {SYS_openat, {AT_FDCWD, 0, O_RDONLY}, 1},
        {SYS_open, {0, O_RDONLY}, 0},
        {SYS_newfstatat, {AT_FDCWD, 0, 0, 0}, 1},
        {SYS_statx, {AT_FDCWD, 0, 0, 0, 0}, 1},
        {SYS_faccessat, {AT_FDCWD, 0, 0}, 1},
        {SYS_readlinkat, {AT_FDCWD, 0, 0, 1}, 1},
        {SYS_unlinkat, {AT_FDCWD, 0, 0}, 1},
        {SYS_renameat2, {AT_FDCWD, 0, AT_FDCWD, 0, 0}, 1},
        {SYS_stat, {0, 0}, 0},
        {SYS_access, {0, 0}, 0},
        {SYS_rename, {0, 0}, 0},
        {SYS_getdents64, {-1, 0, 1}, 1},
        {SYS_rt_sigaction, {SIGSYS, 0, 0, 8}, 2},
        {SYS_wait4, {-2000000, 0, 0, 0}, 1},
        {SYS_waitid, {P_PID, -1, 0, WEXITED, 0}, 2},
        {SYS_rt_sigsuspend, {0, 8}, 0},
        {SYS_rt_sigtimedwait, {cell, 0, 0, 7}, 2},
        {SYS_rt_sigtimedwait, {0, 0, zero, 8}, 0},
        {SYS_rt_sigaction, {SIGUSR1, 0, 0, 8}, 2},
        {SYS_rt_sigaction, {SIGUSR1, 0, 0, 8}, 1},
    });
    const long in_the_middle_of_nowhere = 0x5555'0000'1234;
    const long not_canonical = static_cast<long>(0x8000'0000'0000'0000);
    for (const call_with_pointer& each : calls) {
        CAPTURE(each.number);
        CAPTURE(each.pointer);
        const auto results = [&] {
            std::string all;
            for (const long wild : {0L, 16L, in_the_middle_of_nowhere, not_canonical, -8L}) {
                std::array<long, 6> words = each.arguments;
                words[each.pointer] = wild;
                errno = 0;
                const long result = ::syscall(each.number, words[0], words[1], words[2], words[3], words[4], words[5]);
                all += std::to_string(result) + " errno " + std::to_string(errno) + ' ';
            }
            return all;
        };
        const auto child = coir::test::in_child([&] {
            const coir::test::captured_log log;
            const std::string plain = results();
            for (const auto engine : {coir::blocking_engine::hooks, coir::blocking_engine::trap}) {
                const std::string watched = coir::run(reports{{.engine = engine}}.options(), results);
                if (plain != watched) throw std::runtime_error{"expected: " + plain + "\ngot: " + watched};
            }
        });
        INFO(child.output);
        CHECK_FALSE(child.died());
    }
}
#endif

TEST_CASE("trap: a sleep interrupted by a signal returns the remaining time") {
    survives([] {
        handle(SIGALRM, count_signal);
        alarm_after(5ms, 5ms);
        timespec left{};
        const timespec minute{60, 0};
        require(::nanosleep(&minute, &left) == -1 && errno == EINTR, "EINTR");
        alarm_after(0us);
        require(left.tv_sec >= 50, "the rest");
    });
}

TEST_CASE("trap: SA_RESTART restarts a read, and without it the read is interrupted" *
          doctest::skip(coir::test::defers_signals)) {
    survives([] {
        std::array<int, 2> ends{};
        require(::pipe(ends.data()) == 0, "pipe");
        char byte = 0;
        handle(SIGALRM, count_signal, SA_RESTART);
        std::thread writer{[&] {
            sigset_t alarm;
            ::sigemptyset(&alarm);
            ::sigaddset(&alarm, SIGALRM);
            ::pthread_sigmask(SIG_BLOCK, &alarm, nullptr);
            while (signals_seen < 3) std::this_thread::sleep_for(1ms);
            require(::write(ends[1], "x", 1) == 1, "write");
        }};
        alarm_after(2ms, 2ms);
        require(::read(ends[0], &byte, 1) == 1, "restarted");
        alarm_after(0us);
        writer.join();
        handle(SIGALRM, count_signal);
        alarm_after(5ms, 5ms);
        require(::read(ends[0], &byte, 1) == -1 && errno == EINTR, "interrupted");
        alarm_after(0us);
    });
}

namespace {

sigjmp_buf back;
void jump_back(int) { ::siglongjmp(back, 1); }

[[gnu::noinline]] void leave_a_read(int with_mask) {
    std::array<int, 2> ends{};
    require(::pipe(ends.data()) == 0, "pipe");
    handle(SIGALRM, jump_back, SA_NODEFER);
    alarm_after(3ms);
    char byte = 0;
    if (::sigsetjmp(back, with_mask) != 0) return;
    [[maybe_unused]] const auto never = ::read(ends[0], &byte, 1);
    require(false, "the handler jumps");
}

}  // namespace

TEST_CASE("trap: siglongjmp out of a waiting call works, and detection continues from the next suspension" *
          doctest::skip(coir::test::defers_signals || coir::test::marks_fibers_stacks)) {
    if (!traps_are_here()) return;
    const coir::test::ending end = in_child([] {
        const coir::test::captured_log quiet;
        const reports seen = trapped([] {
            for (const int with_mask : {1, 0}) {
                leave_a_read(with_mask);
                coir::this_fiber::sleep_for(1ms);
                sleep_by_number();
            }
        });
        std::size_t found = 0;  // in one report, or in two if the compiler has unrolled the loop
        for (const auto& report : seen.blocked("nanosleep")) found += report.count;
        require(found == 2, "found after the jump, both times");
    });
    INFO(end.output);
    CHECK(end.signal == 0);
    CHECK(end.exit_code == 0);
}

TEST_CASE("trap: a fiber may cancel a thread that it has started") {
    survives([] {
        pthread_t other{};
        const auto wait_for_ever = [](void*) -> void* {
            for (;;) ::pause();
        };
        require(::pthread_create(&other, nullptr, wait_for_ever, nullptr) == 0, "pthread_create");
        require(::pthread_cancel(other) == 0, "pthread_cancel");
        void* result = nullptr;
        require(::pthread_join(other, &result) == 0 && result == PTHREAD_CANCELED, "cancelled");
        sleep_by_number();
    });
}

TEST_CASE("trap: a fiber may change the alternate signal stack") {
    survives([] {
        constexpr std::size_t bytes = 256 << 10;
        const auto memory = std::make_unique<std::byte[]>(bytes);
        stack_t mine{};
        stack_t before{};
        mine.ss_sp = memory.get();
        mine.ss_size = bytes;
        require(::sigaltstack(&mine, &before) == 0, "sigaltstack");
        sleep_by_number();
        require(::sigaltstack(&before, &mine) == 0 && mine.ss_size == bytes, "sigaltstack back");
    });
}

TEST_CASE("trap: exceptions are thrown and caught between and around traps") {
    survives([] {
        struct at_end {
            ~at_end() { ::syscall(SYS_getppid); }
        };
        int caught = 0;
        for (int i = 0; i < 200; ++i) {
            try {
                const at_end trap_while_unwinding;
                ::syscall(SYS_getppid);
                throw i;
            } catch (int) {
                ++caught;
            }
        }
        require(caught == 200, "all");
    });
}

TEST_CASE("trap: the program's own handler of SIGSYS is kept, and called if the signal is not a trap") {
    survives([] {
        handle(SIGSYS, count_signal);
        struct sigaction known {};
        ::sigaction(SIGSYS, nullptr, &known);
        require(known.sa_handler == count_signal, "what is asked for is what was set");
        sleep_by_number();
        require(signals_seen == 0, "traps are not for it");
        ::raise(SIGSYS);
        require(signals_seen == 1, "a signal is");
        std::thread{[] { handle(SIGSYS, count_signal); }}.join();
        sleep_by_number();
        require(signals_seen == 1, "nor does another thread's call take the traps away");
    });
}

TEST_CASE("trap: a small stack is sufficient, as the handler has its own stack") {
    survives([] {
        constexpr std::size_t bytes = coir::test::sanitized ? 128 << 10 : 16 << 10;
        coir::spawn({.stack_size = bytes}, [] {
            sleep_by_number();
            std::this_thread::sleep_for(1ms);
        }).join();
    });
}

// ---- without traps ------------------------------------------------------------------------------------------------

namespace {

coir::engine_status status_with_traps() {
    coir::engine_status found;
    trapped([&] { found = coir::active_engine(); });
    return found;
}

}  // namespace

TEST_CASE("trap: if a seccomp filter refuses traps, hooks are used, and this is logged once") {
    if (!traps_are_here()) return;
    const coir::test::ending end = in_child([] {
        constexpr long set_dispatch = 59;  // PR_SET_SYSCALL_USER_DISPATCH
        filter_system_call(SYS_prctl, set_dispatch, SECCOMP_RET_ERRNO | EPERM);
        const coir::test::captured_log log;
        for (int i = 0; i < 2; ++i) {
            const coir::engine_status found = status_with_traps();
            require(found.engine == coir::blocking_engine::hooks, "hooks");
            require(found.missing.find("seccomp") != found.missing.npos, found.missing);
        }
        require(log.count("system calls are not trapped") == 1, log.text());
    });
    INFO(end.output);
    CHECK_FALSE(end.died());
}

TEST_CASE("trap: a SIGSYS from a seccomp filter reaches the program") {
    survives([] {
        struct sigaction action {};
        action.sa_flags = SA_SIGINFO;
        action.sa_sigaction = [](int, siginfo_t* info, void*) { signals_seen = info->si_code; };
        ::sigaction(SIGSYS, &action, nullptr);
        filter_system_call(SYS_getpgrp, -1, SECCOMP_RET_TRAP);
        ::syscall(SYS_getpgrp);
        constexpr int by_seccomp = 1;  // SYS_SECCOMP
        require(signals_seen == by_seccomp, "si_code");
        sleep_by_number();
    });
}

TEST_CASE("trap: under valgrind and rr, which do not support traps, hooks are used") {
    if (!traps_are_here()) return;
    const coir::test::captured_log quiet;
    {
        const coir::test::variable recorded{"RUNNING_UNDER_RR", "1"};
        CHECK(status_with_traps().missing.starts_with("rr does not support Syscall User Dispatch"));
    }
    const coir::test::variable preloaded{"LD_PRELOAD", "/usr/libexec/valgrind/vgpreload_core.so"};
    CHECK(status_with_traps().engine == coir::blocking_engine::hooks);
    CHECK(status_with_traps().missing.starts_with("valgrind does not support Syscall User Dispatch"));
}

// ---- record files -------------------------------------------------------------------------------------------------

namespace {

/// The record file of one run that a child process leaves behind, however it ends.
struct left_record {
    coir::detail::record_header header;
    coir::detail::blocking_event_memory run;
};
static_assert(sizeof(left_record) == sizeof(coir::detail::record_header) + sizeof(coir::detail::blocking_event_memory));

std::unique_ptr<left_record> record_of_child(const std::function<void()>& body) {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("coir-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder);
    std::filesystem::create_directory(folder);
    const coir::test::ending end = in_child([&] {
        const coir::test::variable records{"COIR_BLOCKING_RECORDS", folder};
        coir::run(coir::run_options{.blocking{.engine = coir::blocking_engine::trap}}, [&] {
            require_traps();
            body();
        });
    });
    INFO(end.output);
    auto read = std::make_unique<left_record>();
    CHECK_FALSE(std::filesystem::is_empty(folder));
    for (const auto& file : std::filesystem::directory_iterator{folder}) {
        std::ifstream{file.path(), std::ios::binary}.read(reinterpret_cast<char*>(read.get()), sizeof *read);
    }
    std::filesystem::remove_all(folder);
    return read;
}

}  // namespace

TEST_CASE("trap: the record of a process remains, however it ends") {
    if (!traps_are_here()) return;
    const std::function<void()> ways[]{[] { ::_exit(0); }, [] { std::abort(); }, [] { ::kill(::getpid(), SIGKILL); }};
    for (const auto& end : ways) {
        const auto left = record_of_child([&] {
            sleep_by_number();
            end();
        });
        CHECK(left->header.states[0].load() == coir::detail::run_state::live);
        REQUIRE(left->run.blocking_events_size.load() == 1);
        CHECK(left->run.finished.load() == 0);
        CHECK(left->run.events[0].call.view() == "nanosleep");
        CHECK(left->run.events[0].stack.depth > 3);
        CHECK(left->header.modules_used.load() > 0);
    }
}

TEST_CASE("trap: if a process is killed in a call, the record contains the call") {
    if (!traps_are_here()) return;
    const auto left = record_of_child([] {
        std::thread{[] {
            std::this_thread::sleep_for(20ms);
            ::kill(::getpid(), SIGKILL);
        }}.detach();
        for (;;) ::pause();
    });
    CHECK(left->run.in_call.load() == 1);
    CHECK(left->run.call.call.view() == "pause");
    CHECK(left->run.call.stack.depth > 3);
}
