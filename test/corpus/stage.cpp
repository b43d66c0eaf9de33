#include "corpus/stage.hpp"

#include <chrono>
#include <fstream>
#include <future>
#include <pthread.h>
#include <signal.h>
#include <string>
#include <unistd.h>

namespace coir::test {

namespace {

using namespace std::chrono_literals;

/// Reads the state from /proc: the third field, after a name in parentheses. Also true for a sleep that began earlier.
bool is_asleep(pid_t thread) {
    std::ifstream file{"/proc/self/task/" + std::to_string(thread) + "/stat"};
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(')');
    return name_end != line.npos && (line.at(name_end + 2) == 'S' || line.at(name_end + 2) == 'D');
}

}  // namespace

stage::~stage() {
    begin();  // otherwise it would wait for a fiber that has never begun
    for (std::thread& helper : helpers_) helper.join();
    for (; !undos_.empty(); undos_.pop_back()) undos_.back()();
}

void stage::later(std::function<void()> deed) {
    elsewhere([] {}, std::move(deed));
}

void stage::elsewhere(std::function<void()> first, std::function<void()> deed) {
    std::promise<void> first_done;
    helpers_.emplace_back([this, first = std::move(first), deed = std::move(deed), &first_done] {
        first();
        first_done.set_value();
        wait_until_fiber_sleeps();
        std::this_thread::sleep_for(25ms);
        deed();
    });
    first_done.get_future().wait();
}

void stage::signal_later(int signal) {
    struct sigaction nothing {};
    struct sigaction before {};
    nothing.sa_handler = [](int) {};
    ::sigaction(signal, &nothing, &before);
    finally([=] { ::sigaction(signal, &before, nullptr); });
    later([signal, target = ::pthread_self()] { ::pthread_kill(target, signal); });
}

// Gives up after a while on a fiber that spins and does not sleep.
void stage::wait_until_fiber_sleeps() const {
    while (!begun_) std::this_thread::sleep_for(1ms);
    int times_asleep = 0;
    for (int looks = 0; looks < 100 && times_asleep < 3; ++looks) {
        std::this_thread::sleep_for(1ms);
        times_asleep = is_asleep(stage_thread_) ? times_asleep + 1 : 0;
    }
}

}  // namespace coir::test
