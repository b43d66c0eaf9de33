#include "support/seccomp.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <system_error>
#include <vector>

namespace coir::test {

namespace {

void require(bool holds, const char* what) {
    if (!holds) throw std::system_error{errno, std::system_category(), what};
}

void install(std::span<sock_filter> rules) {
    const sock_fprog program{static_cast<unsigned short>(rules.size()), rules.data()};
    require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
    require(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

constexpr sock_filter load_number = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));

/// Rules that permit the loaded number if it is one of these.
void allow(std::span<const unsigned> numbers, std::vector<sock_filter>& rules) {
    for (const unsigned number : numbers) {
        rules.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
        rules.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    }
}

}  // namespace

void filter_system_call(unsigned number, long first, unsigned action) {
    std::array<sock_filter, 6> rules{{
        load_number,
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
        BPF_JUMP(first < 0 ? BPF_JMP | BPF_JGE | BPF_K : BPF_JMP | BPF_JEQ | BPF_K,
                 first < 0 ? 0U : static_cast<unsigned>(first), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    install(rules);
}

void allow_system_calls(std::span<const unsigned> allowed, unsigned newest, unsigned error, unsigned error_of_newer) {
    std::vector<sock_filter> rules{load_number};
    allow(allowed, rules);
    rules.push_back(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, newest, 1, 0));
    rules.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
    rules.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error_of_newer));
    install(rules);
}

void allow_system_calls_or_kill(std::span<const unsigned> allowed, std::span<const unsigned> prctl_operations) {
    std::vector<sock_filter> rules{load_number};
    std::vector<sock_filter> of_prctl{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args))};
    allow(prctl_operations, of_prctl);
    of_prctl.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    rules.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, static_cast<unsigned char>(of_prctl.size())));
    rules.insert(rules.end(), of_prctl.begin(), of_prctl.end());
    allow(allowed, rules);
    rules.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    install(rules);
}

}  // namespace coir::test
