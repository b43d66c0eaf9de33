// A program that checks whether the hooks work in it, however it is linked.
#include <coir/blocking.hpp>
#include <coir/run.hpp>

#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <mutex>
#include <netdb.h>
#include <set>
#include <shared_mutex>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace {

int failures = 0;

void check(bool holds, const char* claim) {
    std::printf("%s: %s\n", holds ? "ok" : "FAILED", claim);
    if (!holds) ++failures;
}

/// The size is not known at compile time, so that a fortified build calls the checking function.
ssize_t receive(int socket, std::array<char, 16>& into, std::size_t bytes) {
    return ::recv(socket, into.data(), bytes, 0);
}

void block_in_many_ways() {
    ::usleep(1000);
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
    check(std::system("sleep 0.01") == 0, "system runs its command");
    FILE* const pipe = ::popen("echo from the shell", "r");
    std::array<char, 32> line{};
    check(pipe != nullptr && std::fgets(line.data(), line.size(), pipe) != nullptr, "popen runs its command");
    check(std::string{line.data()} == "from the shell\n", "and its output can be read");
    check(::pclose(pipe) == 0, "and it ends well");
    addrinfo* found = nullptr;
    check(::getaddrinfo("127.0.0.1", "80", nullptr, &found) == 0 && found != nullptr, "getaddrinfo finds an address");
    if (found != nullptr) ::freeaddrinfo(found);

    std::array<int, 2> sockets{};
    check(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets.data()) == 0, "there are sockets");
    std::thread peer{[&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
        check(::send(sockets[1], "x", 1, 0) == 1, "the peer sends");
    }};
    std::array<char, 16> into{};
    check(receive(sockets[0], into, static_cast<std::size_t>(::getpid() > 0)) == 1, "the fiber receives");
    peer.join();
    ::close(sockets[0]);
    ::close(sockets[1]);
}

/// Each wait ends when the other thread lets it.
void wait_for_another_thread() {
    using namespace std::chrono_literals;
    std::timed_mutex mutex;
    std::shared_timed_mutex shared;
    std::mutex guarding;
    std::condition_variable changed;
    bool done = false;
    std::promise<void> locked;
    std::promise<int> answer;
    std::thread other{[&] {
        mutex.lock();
        shared.lock();
        locked.set_value();
        std::this_thread::sleep_for(20ms);
        mutex.unlock();
        std::this_thread::sleep_for(20ms);
        shared.unlock();
        std::this_thread::sleep_for(20ms);
        {
            const std::lock_guard lock{guarding};
            done = true;
        }
        changed.notify_one();
        std::this_thread::sleep_for(20ms);
        answer.set_value(42);
    }};
    locked.get_future().wait();
    mutex.lock();
    check(true, "a locked mutex can be waited for");
    check(shared.try_lock_shared_for(1h), "and a locked read-write lock");
    {
        std::unique_lock lock{guarding};
        changed.wait(lock, [&] { return done; });
        check(!changed.wait_for(lock, 1ms, [] { return false; }), "and a condition variable, for a time");
    }
    check(answer.get_future().get() == 42, "and a future");
    other.join();
    mutex.unlock();
    shared.unlock_shared();
}

}  // namespace

int main() {
    std::set<std::string> seen;
    std::string missing;
    coir::run_options options;
    options.blocking.on_report = [&](const coir::blocking_report& report) { seen.insert(report.call); };
    coir::run(options, [&] {
        missing = coir::active_engine().missing;
        block_in_many_ways();
        wait_for_another_thread();
    });
    std::printf("missing: %s\n", missing.empty() ? "nothing" : missing.c_str());
    for (const char* call : {"nanosleep", "system", "recv", "read", "pclose", "futex", "pthread_join"})
        check(seen.contains(call), call);
    const bool locks = missing.find("locks have no hooks") == missing.npos;
    for (const char* call : {"pthread_mutex_lock", "pthread_rwlock_rdlock", "pthread_cond_wait"})
        check(seen.contains(call) == locks, call);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
