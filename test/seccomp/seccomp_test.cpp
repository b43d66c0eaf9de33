// The library under the seccomp filters of containers: under each filter, the program every_layer uses every layer
// once.
#include "support/death.hpp"
#include "support/seccomp.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <linux/seccomp.h>
#include <span>
#include <sstream>
#include <string>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

using coir::test::ending;

namespace {

/// Runs the program in a process in which `filter` was called.
ending every_layer(const std::function<void()>& filter) {
    const coir::test::temporary_folder folder;
    return coir::test::in_child([&] {
        filter();
        ::execl(COIR_EVERY_LAYER, COIR_EVERY_LAYER, folder.path().c_str(), nullptr);
        throw std::system_error{errno, std::generic_category(), COIR_EVERY_LAYER};
    });
}

/// The output lines of refused parts.
std::string refusals(const ending& of) {
    std::string found;
    std::istringstream lines{of.output};
    for (std::string line; std::getline(lines, line);) {
        if (line.find(": refused: ") != line.npos) found += line + '\n';
    }
    return found;
}

void check_that_all_works(const ending& program) {
    INFO(program.output);
    CHECK_FALSE(program.died());
    CHECK(program.says("the end"));
    CHECK(refusals(program) == "");
}

/// Checks that parts which need no thread or process work, and that the others say why they do not.
void check_that_threads_alone_are_refused(const ending& program) {
    INFO(program.output);
    CHECK_FALSE(program.died());
    CHECK(program.says("the end"));
    for (const char* const name : {"time", "pipe", "tcp", "unix", "udp", "signal_set", "directory_watch"}) {
        CAPTURE(name);
        CHECK(program.says(std::string{name} + ": right"));
    }
    const std::string refused = refusals(program);
    if (refused.empty()) return;  // this C library does not need clone3
    CHECK(program.says("blocking detection is off: cannot start the watchdog thread"));
    std::istringstream lines{refused};
    for (std::string line; std::getline(lines, line);) {
        CAPTURE(line);
        const bool log_has_the_reason = line.starts_with("detection") || line.starts_with("prefork");
        CHECK((log_has_the_reason || line.find("clone3") != line.npos));
    }
}

struct call {
    const char* name;
    unsigned number;
    long first = -1;
};

/// System calls that coir or the C library make for it, and that are missing in Linux 4.0 or refused by filters. For
/// prctl and waitid, only their newer operations.
constexpr call newer_calls[] = {
    {"epoll_pwait2", SYS_epoll_pwait2},
    {"pidfd_open", SYS_pidfd_open},
    {"pidfd_send_signal", SYS_pidfd_send_signal},
    {"waitid of a pidfd", SYS_waitid, 3},
    {"madvise", SYS_madvise},
    {"prctl of Syscall User Dispatch", SYS_prctl, 59},
    {"faccessat2", SYS_faccessat2},
    {"close_range", SYS_close_range},
    {"getrandom", SYS_getrandom},
    {"statx", SYS_statx},
    {"openat2", SYS_openat2},
    {"rseq", SYS_rseq},
    {"membarrier", SYS_membarrier},
    {"memfd_create", SYS_memfd_create},
    {"copy_file_range", SYS_copy_file_range},
    {"renameat2", SYS_renameat2},
    {"preadv2", SYS_preadv2},
    {"pwritev2", SYS_pwritev2},
    {"process_vm_readv", SYS_process_vm_readv},
    {"process_vm_writev", SYS_process_vm_writev},
    {"io_uring_setup", SYS_io_uring_setup},
    {"futex_waitv", 449},
    {"fchmodat2", 452},
};

void check_each_without(unsigned error) {
    for (const call& each : newer_calls) {
        CAPTURE(each.name);
        check_that_all_works(
            every_layer([&] { coir::test::filter_system_call(each.number, each.first, SECCOMP_RET_ERRNO | error); }));
    }
}

constexpr unsigned docker_2020[] = {
#include "docker-2020.inc"
};
constexpr unsigned docker_current[] = {
#include "docker-current.inc"
};

}  // namespace

TEST_CASE("seccomp: without a filter, every layer works") {
    check_that_all_works(every_layer([] {}));
}

TEST_CASE("seccomp: every layer works if any one of the newer system calls fails with ENOSYS") {
    check_each_without(ENOSYS);
    check_that_all_works(
        every_layer([] { coir::test::filter_system_call(SYS_clone3, -1, SECCOMP_RET_ERRNO | ENOSYS); }));
}

TEST_CASE("seccomp: every layer works if any one of the newer system calls fails with EPERM") {
    check_each_without(EPERM);
}

TEST_CASE("seccomp: every layer works if any one of the newer system calls fails with EINVAL") {
    check_each_without(EINVAL);
}

TEST_CASE("seccomp: if clone3 fails with EPERM or EINVAL, operations that need a thread or a process report it") {
    for (const unsigned error : {EPERM, EINVAL}) {
        CAPTURE(error);
        check_that_threads_alone_are_refused(
            every_layer([&] { coir::test::filter_system_call(SYS_clone3, -1, SECCOMP_RET_ERRNO | error); }));
    }
}

TEST_CASE("seccomp: every layer works under Docker's default profile") {
    const unsigned newest = *std::ranges::max_element(docker_current);
    check_that_all_works(every_layer([&] {
        coir::test::allow_system_calls(docker_current, newest, EPERM, ENOSYS);
        // If several filters return an error, the last installed one counts.
        coir::test::filter_system_call(SYS_clone3, -1, SECCOMP_RET_ERRNO | ENOSYS);
    }));
}

TEST_CASE("seccomp: under Docker's default profile of 2020, operations that need a thread or a process report it") {
    check_that_threads_alone_are_refused(
        every_layer([] { coir::test::allow_system_calls(docker_2020, 0, EPERM, EPERM); }));
}
