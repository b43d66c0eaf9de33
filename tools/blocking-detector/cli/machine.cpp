#include "cli/machine.hpp"

#include <elfutils/libdwfl.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace detector {

namespace {

// <linux/prctl.h> of Linux 5.11, <asm-generic/mman-common.h> of Linux 6.13.
constexpr int set_syscall_user_dispatch = 59;
constexpr int madv_guard_install = 102;

volatile char selector = 0;  // read by the kernel: 1 raises SIGSYS instead of making the call
volatile bool was_trapped = false;

void on_trap(int) {
    selector = 0;
    was_trapped = true;
}

/// In a child process: turns Syscall User Dispatch on and makes a call. Exits with 0 if it was trapped, otherwise with
/// an errno.
[[noreturn]] void try_trap() {
    std::signal(SIGSYS, on_trap);
    if (::prctl(set_syscall_user_dispatch, 1, 0, 0, &selector) != 0) ::_exit(errno);
    selector = 1;
    ::getppid();
    selector = 0;
    ::_exit(was_trapped ? 0 : ENOSYS);
}

/// Why Syscall User Dispatch does not work; empty when it does.
std::string trap_failure() {
    const pid_t child = ::fork();
    if (child < 0) return "cannot test it: fork: " + std::generic_category().message(errno);
    if (child == 0) try_trap();
    int how = 0;
    ::waitpid(child, &how, 0);
    if (WIFSIGNALED(how)) return "a sandbox or an emulator kills a process that uses it";
    switch (WEXITSTATUS(how)) {
    case 0: return {};
    case EINVAL: return "this kernel does not have it: it needs Linux 5.11 on x86-64";
    case EPERM: return "a sandbox (seccomp) forbids it";
    default: return std::generic_category().message(WEXITSTATUS(how));
    }
}

std::string supervisor() {
    const char* const preloaded = std::getenv("LD_PRELOAD");
    if (preloaded != nullptr && std::string_view{preloaded}.find("vgpreload") != std::string_view::npos)
        return "valgrind";
    if (std::getenv("RUNNING_UNDER_RR") != nullptr) return "rr";
    return {};
}

std::string guard_text() {
    constexpr std::size_t page = 4096;
    void* const memory = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool works = memory != MAP_FAILED && ::madvise(memory, page, madv_guard_install) == 0;
    if (memory != MAP_FAILED) ::munmap(memory, page);
    if (works) return "with MADV_GUARD_INSTALL";
    long most = 0;
    std::ifstream{"/proc/sys/vm/max_map_count"} >> most;
    return "with mprotect, because this kernel has no MADV_GUARD_INSTALL (Linux 6.13): vm.max_map_count allows about " +
           std::to_string(most / 2) + " fibers";
}

std::string kernel_text() {
    utsname about{};
    ::uname(&about);
    return std::string{about.sysname} + ' ' + about.release + ' ' + about.machine;
}

std::string records_text() {
    std::error_code failure;
    const auto folder = std::filesystem::temp_directory_path(failure);
    if (failure || ::access(folder.c_str(), W_OK) != 0) {
        return "no writable folder for temporary files: use --log-dir, or set TMPDIR";
    }
    return "in " + folder.string() + " while a program runs";
}

}  // namespace

machine_report check_machine() {
    machine_report made;
    const auto line = [&](const char* name, const std::string& text) {
        made.text.append(name).append(24 - std::string_view{name}.size(), ' ').append(text).append("\n");
    };
    const std::string over = supervisor();
    const std::string why = trap_failure();
    made.has_trap = why.empty() && over.empty();
    line("kernel", kernel_text());
    line("Syscall User Dispatch", why.empty() ? "works" : "no: " + why);
    line("valgrind, rr",
         over.empty() ? "not in use" : "running under " + over + ", which does not support the trap engine");
    line("engine trap", made.has_trap ? "works: detects every system call of a fiber"
                                      : "not available, see above: programs fall back to hooks");
    line("engines hooks, watch", "work");
    line("symbols", std::string{"elfutils "} + dwfl_version(nullptr));
    line("stack guards", guard_text());
    line("records", records_text());
    return made;
}

}  // namespace detector
