#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coir::test {

namespace {

constexpr auto process = blocking_class::process;

/// A process that ends after the fiber has waited for it.
pid_t mortal(stage& on) {
    const pid_t made = child();
    on.later([made] { ::kill(made, SIGKILL); });
    return made;
}

char shell[] = "sh";
char option[] = "-c";
char command[] = "sleep 0.03";
std::array<char*, 4> arguments{shell, option, command, nullptr};

pid_t spawn() {
    pid_t made = 0;
    ::posix_spawn(&made, "/bin/sh", nullptr, nullptr, arguments.data(), environ);
    return made;
}

/// vfork(2) lasts until the child calls exec, and this child is slow.
pid_t vfork_slowly() {
    const pid_t made = ::vfork();
    if (made == 0) {
        const timespec length{0, 40'000'000};
        ::nanosleep(&length, nullptr);
        ::execv("/bin/true", arguments.data());
        ::_exit(1);
    }
    return made;
}

}  // namespace

table on_processes() {
    return {
        blocked("wait", process, {"wait", "wait4"},
                [](stage& on) {
                    mortal(on);
                    return [] { ::wait(nullptr); };
                }),
        blocked("waitpid", process, {"waitpid", "wait4"},
                [](stage& on) { return [it = mortal(on)] { ::waitpid(it, nullptr, 0); }; }),
        blocked("wait4", process, {"wait4"},
                [](stage& on) {
                    return [it = mortal(on)] {
                        rusage used;
                        ::wait4(it, nullptr, 0, &used);
                    };
                }),
        blocked("waitid", process, {"waitid"},
                [](stage& on) {
                    return [it = mortal(on)] {
                        siginfo_t what;
                        ::waitid(P_PID, static_cast<id_t>(it), &what, WEXITED);
                    };
                }),
        blocked("waitid of a pidfd", process, {"waitid"},
                [](stage& on) {
                    const pid_t it = mortal(on);
                    const int fd = on.keep<unique_fd>(must(static_cast<int>(::syscall(SYS_pidfd_open, it, 0)))).get();
                    return [fd] {
                        siginfo_t what;
                        ::waitid(static_cast<idtype_t>(3 /* P_PIDFD */), static_cast<id_t>(fd), &what, WEXITED);
                    };
                }),
        blocked("system", process, {"system"}, [] { std::ignore = std::system("sleep 0.03"); }),
        blocked("pclose", process, {"pclose", "wait4"},
                [](stage& on) {
                    auto& place = on.keep<folder>();
                    const std::string fifo = place.file("fifo");
                    must(::mkfifo(fifo.c_str(), 0600));
                    on.later([fifo] { std::ofstream{fifo} << "line\n"; });
                    return [made = ::popen(("read line <" + fifo).c_str(), "r")] { ::pclose(made); };
                }),
        blocked("popen and its end", process, {"popen", "pclose", "wait4"},
                [] { ::pclose(::popen("sleep 0.15", "r")); }),
        blocked("posix_spawn and waitpid", process, {"posix_spawn", "wait4", "waitpid"},
                [] { ::waitpid(spawn(), nullptr, 0); }),
        without_hook(
            blocked("vfork", process, {"vfork", "wait4", "waitpid"}, [] { ::waitpid(vfork_slowly(), nullptr, 0); })),
    };
}

}  // namespace coir::test
