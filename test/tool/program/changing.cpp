// A program that changes its process, and runs coir in between: does in turn what each word on its command line says.
#include <coir/fiber.hpp>
#include <coir/run.hpp>
#include <coir/this_fiber.hpp>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <grp.h>
#include <iterator>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

/// At the end of a program, LeakSanitizer reads /proc/self/task, which is not there after a chroot.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }

namespace {

void require(bool holds, const char* what) {
    if (holds) return;
    std::perror(what);
    std::_Exit(77);
}

/// From now on, no file can be opened or created.
void enter_sandbox() {
    sock_filter refuse_open[]{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{std::size(refuse_open), refuse_open};
    require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    require(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0, "seccomp");
}

void give_up_privileges() {
    require(::setgroups(0, nullptr) == 0 && ::setgid(65534) == 0 && ::setuid(65534) == 0, "setuid");
}

/// Into a folder that has been removed: nothing can be opened or created in it, and nothing of it stays.
void change_root() {
    std::string empty = "/tmp/coir-root-XXXXXX";
    require(::mkdtemp(empty.data()) != nullptr && ::chdir(empty.c_str()) == 0, "mkdtemp");
    require(::rmdir(empty.c_str()) == 0 && ::chroot(".") == 0, "chroot");
}

void limit_file_size() {
    const rlimit none{0, 0};
    require(::setrlimit(RLIMIT_FSIZE, &none) == 0, "setrlimit");
}

/// Goes on in a child, and ends as it does.
void go_on_in_child() {
    const pid_t child = ::fork();
    require(child >= 0, "fork");
    if (child == 0) return;
    int how = 0;
    ::waitpid(child, &how, 0);
    std::_Exit(WIFEXITED(how) ? WEXITSTATUS(how) : 98);
}

[[gnu::noinline]] void sleep_in_fiber() { std::this_thread::sleep_for(std::chrono::milliseconds{20}); }

void execute(const char* program, char** words) {
    ::execv(program, words);
    require(false, "execv");
}

}  // namespace

int main(int count, char** words) {
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        if (word == "nobody") give_up_privileges();
        if (word == "chroot") change_root();
        if (word == "sandbox") enter_sandbox();
        if (word == "file_size") limit_file_size();
        if (word == "fork") go_on_in_child();
        if (word == "daemon") require(::daemon(1, 1) == 0, "daemon");
        if (word == "wait") std::this_thread::sleep_for(std::chrono::milliseconds{300});
        if (word == "nothing") coir::run([] { coir::this_fiber::yield(); });
        if (word == "sleep") coir::run(sleep_in_fiber);
        if (word == "leave")
            coir::run([] {
                sleep_in_fiber();
                std::_Exit(0);
            });
        if (word == "exec") execute("/proc/self/exe", words + i);
        if (word == "exec_in_fiber") coir::run([&] { execute("/proc/self/exe", words + i); });
        if (word == "true") execute("/bin/true", words + i);
        if (word == "descriptor") std::printf("descriptor %d\n", ::dup(STDOUT_FILENO));
        if (word == "touch") require(::close(::open(words[++i], O_WRONLY | O_CREAT, 0644)) == 0, "open");
        if (word == "threads") {
            std::vector<std::thread> all;
            for (int t = 0; t < 64; ++t) all.emplace_back([] { coir::run(sleep_in_fiber); });
            for (std::thread& each : all) each.join();
        }
        std::fflush(stdout);
    }
}
