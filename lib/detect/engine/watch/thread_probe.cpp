#include "detect/engine/watch/thread_probe.hpp"

#include "base/read_memory.hpp"
#include "base/suspended_stack.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coir::detail {

namespace {

/// The content of /proc/self/task/`tid`/`name` (proc(5)); empty when it cannot be read.
class task_file {
public:
    task_file(pid_t tid, const char* name) noexcept {
        std::array<char, 64> path;
        std::snprintf(path.data(), path.size(), "/proc/self/task/%d/%s", static_cast<int>(tid), name);
        const unique_fd file{::open(path.data(), O_RDONLY | O_CLOEXEC)};
        const ssize_t got = file ? ::read(file.get(), text_.data(), text_.size() - 1) : 0;
        text_[static_cast<std::size_t>(got > 0 ? got : 0)] = '\0';
    }

    [[nodiscard]] const char* text() const noexcept { return text_.data(); }

private:
    std::array<char, 16 << 10> text_;  // "status" has a line with all groups of the user
};

/// Whether the word at `address` is the lock of a contended pthread mutex that `tid` owns.
bool is_mutex_of(pid_t tid, std::uintptr_t address) noexcept {
    pthread_mutex_t mutex;
    constexpr std::size_t bytes = offsetof(pthread_mutex_t, __data.__owner) + sizeof mutex.__data.__owner;
    if (!read_memory(&mutex, reinterpret_cast<const void*>(address), bytes)) return false;
    constexpr int contended = 2;  // glibc's lowlevellock.h
    return mutex.__data.__lock == contended && mutex.__data.__owner == tid;
}

}  // namespace

thread_probe::thread_probe(pid_t tid) noexcept : tid_{tid} { ::pthread_getcpuclockid(::pthread_self(), &clock_); }

std::chrono::nanoseconds thread_probe::cpu_time() const noexcept {
    timespec spent{};
    ::clock_gettime(clock_, &spent);
    return std::chrono::seconds{spent.tv_sec} + std::chrono::nanoseconds{spent.tv_nsec};
}

thread_probe::state thread_probe::now() const noexcept {
    const task_file stat{tid_, "stat"};
    const char* const name_ends = std::strrchr(stat.text(), ')');
    if (name_ends == nullptr || name_ends[1] == '\0') return state::unknown;
    switch (name_ends[2]) {
    case 'R': return state::running;
    case 'S':
    case 'D': return state::asleep;
    default: return state::unknown;
    }
}

bool thread_probe::blocks(int signal) const noexcept {
    const task_file status{tid_, "status"};
    const char* const line = std::strstr(status.text(), "\nSigBlk:");
    unsigned long long blocked = 0;
    return line == nullptr || std::sscanf(line, " SigBlk: %llx", &blocked) != 1 || (blocked >> (signal - 1) & 1) != 0;
}

thread_probe::sleep thread_probe::where_asleep() const noexcept {
    // "NUMBER ARGUMENT{6} SP PC", "-1 SP PC" in a page fault, or "running"
    const task_file call{tid_, "syscall"};
    sleep where;
    std::array<unsigned long, 8> words{};
    const int count = std::sscanf(call.text(), "%ld %lx %lx %lx %lx %lx %lx %lx %lx", &where.system_call, &words[0],
                                  &words[1], &words[2], &words[3], &words[4], &words[5], &words[6], &words[7]);
    if (count >= 3) {
        where.sp = words[static_cast<std::size_t>(count) - 3];
        where.pc = words[static_cast<std::size_t>(count) - 2];
    }
    const bool waits_for_lock = where.system_call == SYS_futex && (words[1] & FUTEX_CMD_MASK & 0xffU) == FUTEX_WAIT;
    where.on_own_mutex = waits_for_lock && is_mutex_of(tid_, words[0]);
    return where;
}

bool thread_probe::capture(const sleep& where, call_stack& into) const {
    const std::chrono::nanoseconds cpu = cpu_time();
    const sleep before = where_asleep();
    if (where.pc == 0 || before.pc != where.pc || before.sp != where.sp) return false;
    known_registers registers;
    registers[stack_pointer] = where.sp;
    capture_suspended(where.pc, registers, where.system_call < 0, into);
    const sleep after = where_asleep();
    return after.pc == where.pc && after.sp == where.sp && cpu_time() == cpu;
}

}  // namespace coir::detail
