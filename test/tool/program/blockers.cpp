// A program with blocking calls of several kinds, one for each word on its command line, which the tool must find.
#include <coir/fiber.hpp>
#include <coir/run.hpp>

#include <chrono>
#include <csignal>
#include <ctime>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;

namespace shop {

template <class Key> struct cache {
    [[gnu::noinline]] void refresh() { std::this_thread::sleep_for(20ms); }
};

[[gnu::noinline]] void load() { cache<std::vector<int>>{}.refresh(); }

[[gnu::noinline]] void report() { ::usleep(20'000); }

[[gnu::noinline]] void compute() {
    volatile unsigned sum = 0;
    for (const std::clock_t begin = std::clock(); std::clock() - begin < CLOCKS_PER_SEC;) {
        for (unsigned i = 0; i < 10'000'000; ++i) sum = sum + i;
    }
}

[[gnu::noinline]] void wait_for_ever() { ::pause(); }

/// Runs this program once more in a child process, and exits with its status.
[[gnu::noinline]] void start_child() {
    const pid_t child = ::fork();
    if (child == 0) {
        ::execl("/proc/self/exe", "blockers", "report", nullptr);
        ::_exit(9);
    }
    int how = 0;
    ::waitpid(child, &how, 0);
}

void block(const std::string& how) {
    if (how == "load") load();
    if (how == "report") report();
    if (how == "compute") compute();
    if (how == "wait") wait_for_ever();
    if (how == "fork") start_child();
    if (how == "killed") ::kill(::getpid(), SIGKILL);
    if (how == "leave") ::_exit(0);
    if (how == "fail") ::_exit(3);
}

}  // namespace shop

int main(int count, char** words) {
    const std::vector<std::string> all{words + 1, words + count};
    coir::run([&] {
        coir::spawn({.name = "worker"}, [&] {
            for (const std::string& each : all) shop::block(each);
        }).join();
    });
}
