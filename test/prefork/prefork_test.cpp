#include <coir/coir.hpp>
#include <coir/process/prefork.hpp>

#include "prefork/restart_delay.hpp"
#include "prefork/shared_stats.hpp"
#include "prefork/worker_process.hpp"
#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"
#include "support/temporary_folder.hpp"
#include "thread/thread_pool.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

using coir::prefork_options;
using coir::worker;
using coir::net::tcp_stream;

constexpr int patience_ms = 30'000;  // limit for waits that are normally short

/// Makes a system call, and again if a signal has interrupted it.
template <class Call> auto uninterrupted(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

/// A prefork server in its own process, with the log of the parent and the output of the workers.
class prefork_server {
public:
    using main = std::function<void(worker&)>;

    prefork_server(
        unsigned workers, const main& works, const prefork_options& options,
        const std::function<void()>& before = [] {}) {
        coir::detail::thread_pool::end_all_of_process();  // see in_child
        std::fflush(nullptr);
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        id_ = ::fork();
        REQUIRE(id_ >= 0);
        if (id_ == 0)
            be_the_parent(ends[1], [&] {
                before();
                return coir::prefork(workers, works, options);
            });
        ::close(ends[1]);
        output_ = ends[0];
    }
    ~prefork_server() {
        if (id_ > 0) {
            signal(SIGKILL);
            end();
        }
        ::close(output_);
    }
    prefork_server(const prefork_server&) = delete;
    prefork_server& operator=(const prefork_server&) = delete;

    /// Waits until `text` appears in output that was not yet consumed; returns the rest of that line.
    std::string wait_for(const std::string& text) {
        for (;;) {
            const auto found = log_.find(text, seen_);
            const auto line = found == std::string::npos ? found : log_.find('\n', found);
            if (line != std::string::npos) {
                seen_ = found + text.size();
                return log_.substr(seen_, line - seen_);
            }
            if (!hear(patience_ms)) throw std::runtime_error{"waited in vain for '" + text + "' in\n" + log_};
        }
    }

    /// Whether the output so far contains `text`. Does not wait.
    bool says(const std::string& text) {
        while (hear(0)) {
        }
        return log_.find(text) != std::string::npos;
    }
    std::size_t count(const std::string& text) {
        std::size_t found = 0;
        while (hear(0)) {
        }
        for (auto at = log_.find(text); at != std::string::npos; at = log_.find(text, at + 1)) ++found;
        return found;
    }

    /// Waits until this many workers are ready, and returns the pid of the newest worker of each index.
    std::vector<pid_t> wait_for_workers(unsigned count) {
        std::vector<pid_t> all(count);
        for (unsigned i = 0; i < count; ++i) {
            const std::string line = wait_for("coir: worker ");
            unsigned index = 0;
            int id = 0;
            if (std::sscanf(line.c_str(), "%u (pid %d) is ready", &index, &id) == 2 && line.ends_with("is ready"))
                all.at(index) = id;
            else
                --i;
        }
        return all;
    }

    std::uint16_t port() {
        const std::string at = wait_for("listening on 127.0.0.1:");
        return static_cast<std::uint16_t>(std::stoi(at));
    }

    void signal(int number) const { ::kill(id_, number); }

    /// Waits for the end of the server; returns the exit code, or minus the signal.
    int end() {
        while (hear(patience_ms)) {
        }
        const int status = coir::test::status_of(id_);
        id_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

    [[nodiscard]] const std::string& log() const { return log_; }

private:
    [[noreturn]] static void be_the_parent(int output, const std::function<int()>& body) {
        ::dup2(output, STDOUT_FILENO);
        ::dup2(output, STDERR_FILENO);
        ::close(output);
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::alarm(120);
        int code = 100;
        try {
            code = body();
        } catch (const std::exception& thrown) {
            std::fprintf(stderr, "thrown: %s\n", thrown.what());
        }
        std::fflush(nullptr);
        ::_exit(code);
    }

    /// Whether output arrives within that time.
    bool hear(int milliseconds) {
        pollfd output{output_, POLLIN, 0};
        const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds{milliseconds};
        int ready = 0;
        while ((ready = ::poll(&output, 1, milliseconds)) < 0 && errno == EINTR &&
               std::chrono::steady_clock::now() < until) {
        }
        if (ready <= 0) return false;
        std::array<char, 4096> piece;
        const ssize_t n = uninterrupted([&] { return ::read(output_, piece.data(), piece.size()); });
        if (n > 0) log_.append(piece.data(), static_cast<std::size_t>(n));
        return n > 0;
    }

    pid_t id_ = 0;
    int output_ = -1;
    std::string log_;
    std::size_t seen_ = 0;
};

/// A blocking client with a timeout.
class plain_client {
public:
    explicit plain_client(std::uint16_t port) : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        const timeval patience{patience_ms / 1000, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int result =
            uninterrupted([&] { return ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to); });
        connected_ = result == 0 || errno == EISCONN;
    }
    ~plain_client() { ::close(fd_); }
    plain_client(const plain_client&) = delete;
    plain_client& operator=(const plain_client&) = delete;

    [[nodiscard]] bool connected() const { return connected_; }

    void say(const std::string& text) const {
        CHECK(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
    }

    /// The next line; nullopt if the connection fails or ends.
    [[nodiscard]] std::optional<std::string> line() const {
        std::string all;
        for (char next = 0; uninterrupted([&] { return ::recv(fd_, &next, 1, 0); }) == 1;) {
            if (next == '\n') return all;
            all += next;
        }
        return std::nullopt;
    }

private:
    int fd_;
    bool connected_;
};

/// Connects, sends a question, and returns the answer.
std::optional<pid_t> who_answers(std::uint16_t port) {
    const plain_client client{port};
    if (!client.connected()) return std::nullopt;
    client.say("who?\n");
    const auto answer = client.line();
    return answer ? std::optional{std::stoi(*answer)} : std::nullopt;
}

void say_who(tcp_stream peer) {
    std::array<std::byte, 16> question;
    if (peer.read_some(question) > 0) peer.write_all(std::to_string(::getpid()) + "\n");
}

void serve_who(worker& self) { self.serve(say_who); }

/// Prints a line with one write, so that the lines of several workers do not mix.
void tell(const std::string& line) {
    const std::string whole = line + '\n';
    if (::write(STDOUT_FILENO, whole.data(), whole.size()) < 0) std::abort();
}

/// A main function of a worker that waits until the file `gate` is removed, and then serves.
auto behind(std::string gate) {
    return [gate = std::move(gate)](worker& self) {
        tell("begins");
        while (std::filesystem::exists(gate)) coir::this_fiber::sleep_for(1ms);
        serve_who(self);
    };
}

prefork_options on_loopback() {
    prefork_options made;
    made.listen = {{"127.0.0.1", 0}};
    made.restart.first = 1ms;
    return made;
}

/// Waits until a process whose parent has died ends; returns whether it did. This process reaps orphaned descendants.
bool orphan_ends(pid_t id) {
    for (int i = 0; i < patience_ms / 5; ++i) {
        if (::waitpid(id, nullptr, WNOHANG) == id) return true;
        std::this_thread::sleep_for(5ms);  // also if signals arrive
    }
    return false;
}

}  // namespace

// ---- workers -----------------------------------------------------------------------------------------------------

TEST_CASE("prefork: workers share a listener, and SIGTERM ends them and the parent cleanly") {
    prefork_server server{2, serve_who, on_loopback()};
    const auto port = server.port();
    const auto workers = server.wait_for_workers(2);
    std::set<pid_t> seen;
    while (seen.size() < 2) seen.insert(who_answers(port).value());
    CHECK(seen == std::set<pid_t>(workers.begin(), workers.end()));
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
    CHECK(server.count("ended with exit code 0 after") == 2);
    CHECK_FALSE(who_answers(port));
}

TEST_CASE("prefork: with one socket per worker all workers serve, also replacements") {
    auto options = on_loopback();
    options.reuse_port = true;
    prefork_server server{2, serve_who, options};
    const auto port = server.port();
    for (int round = 0; round < 2; ++round) {
        const auto workers = server.wait_for_workers(2);
        std::set<pid_t> seen;
        while (seen.size() < 2) seen.insert(who_answers(port).value());
        CHECK(seen == std::set<pid_t>(workers.begin(), workers.end()));
        for (const pid_t each : workers) ::kill(each, SIGKILL);
    }
    server.wait_for_workers(2);
    server.signal(SIGINT);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: 0 starts as many workers as there are cores, each with its index") {
    prefork_server server{0,
                          [](worker& self) {
                              tell("index " + std::to_string(self.index()));
                              self.ready();
                              self.wait_for_drain();
                              tell(self.draining() ? "drains" : "does not drain");
                          },
                          {}};
    const unsigned cores = coir::available_cores();
    server.wait_for_workers(cores);
    for (unsigned i = 0; i < cores; ++i) CHECK(server.says("index " + std::to_string(i)));
    CHECK_FALSE(server.says("drain"));
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
    CHECK(server.count("drains\n") == cores);
}

TEST_CASE("prefork: several listeners have the order of the options, and an invalid index is refused") {
    auto options = on_loopback();
    options.listen.push_back({"127.0.0.1", 0});
    prefork_server server{1,
                          [](worker& self) {
                              try {
                                  static_cast<void>(self.listener(2));
                                  tell("a third");
                              } catch (const std::out_of_range&) {
                              }
                              tell("second " + std::to_string(self.listener(1).local_endpoint().port()));
                              serve_who(self);
                          },
                          options};
    const auto first = server.port();
    const auto second = static_cast<std::uint16_t>(std::stoi(server.wait_for("second ")));
    CHECK(first != second);
    CHECK(who_answers(first));
    CHECK(who_answers(second));
    CHECK_FALSE(server.says("a third"));
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: the limit of serve is per worker, and the options apply to its scheduler") {
    auto options = on_loopback();
    options.run.name = "named";
    options.run.stack_size = 64 << 10;
    prefork_server server{1,
                          [](worker& self) {
                              int at_once = 0;
                              self.serve(coir::limit{1}, [&](tcp_stream peer) {
                                  ++at_once;
                                  std::array<std::byte, 16> question;
                                  if (peer.read_some(question) > 0) peer.write_all(std::to_string(at_once) + "\n");
                                  --at_once;
                              });
                          },
                          options};
    const auto port = server.port();
    const plain_client first{port};
    const plain_client second{port};
    second.say("?");
    first.say("?");
    CHECK(first.line() == "1");
    CHECK(second.line() == "1");
}

TEST_CASE("prefork: signals from the terminal go to the parent, and workers continue") {
    prefork_server server{1, serve_who, on_loopback()};
    const auto port = server.port();
    const pid_t id = server.wait_for_workers(1).front();
    ::kill(id, SIGINT);
    ::kill(id, SIGHUP);
    CHECK(who_answers(port) == id);
}

TEST_CASE("prefork: a worker has no descriptors of its parent or of other workers") {
    prefork_server server{2,
                          [](worker& self) {
                              const std::filesystem::directory_iterator all{"/proc/self/fd"};
                              tell("descriptors " + std::to_string(std::distance(begin(all), end(all))));
                              serve_who(self);
                          },
                          on_loopback()};
    std::string first;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 2; ++i) {
            const std::string count = server.wait_for("descriptors ");
            if (first.empty()) first = count;
            CHECK(count == first);
        }
        server.signal(SIGHUP);
    }
}

// ---- restarts ----------------------------------------------------------------------------------------------------

TEST_CASE("prefork: a killed worker is replaced, and the log says how it ended") {
    prefork_server server{2, serve_who, on_loopback()};
    const auto port = server.port();
    const pid_t killed = server.wait_for_workers(2).front();
    ::kill(killed, SIGKILL);
    server.wait_for("worker 0 (pid " + std::to_string(killed) + ") was killed by signal 9 (Killed) after ");
    CHECK(server.wait_for("; a replacement starts ") == "in 1 ms");
    server.wait_for("worker 0 (pid ");
    server.wait_for(") is ready");
    CHECK(who_answers(port));
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: a worker that ran for a long time is replaced at once") {
    auto options = on_loopback();
    options.restart.settled = 0ms;
    options.restart.attempts = 1;
    prefork_server server{1, serve_who, options};
    for (int i = 0; i < 3; ++i) {
        ::kill(server.wait_for_workers(1).front(), SIGSEGV);
        CHECK(server.wait_for("; a replacement starts ") == "immediately");
    }
    server.wait_for_workers(1);
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: if main returns without a drain it is restarted with increasing delays, and then given up") {
    auto options = on_loopback();
    options.restart.attempts = 5;
    options.restart.longest = 4ms;
    prefork_server server{1, [](worker&) {}, options};
    for (const char* delay : {"in 1 ms", "in 2 ms", "in 4 ms", "in 4 ms"}) {
        server.wait_for("ended with exit code 0 after ");
        CHECK(server.wait_for("; a replacement starts ") == delay);
    }
    CHECK(server.end() == 1);
    CHECK(server.says("[error] coir: worker 0 (pid "));
    CHECK(server.says(" failed 5 times in a row"));
}

TEST_CASE("prefork: an exception of main is logged, and when prefork gives up it drains the other workers") {
    auto options = on_loopback();
    options.restart.attempts = 2;
    prefork_server server{2,
                          [](worker& self) {
                              if (self.index() == 1) throw std::runtime_error{"no such table"};
                              self.ready();
                              self.wait_for_drain();
                              tell("drained");
                          },
                          options};
    server.wait_for("coir: worker 1: main threw an exception: no such table");
    server.wait_for("ended with exit code 1 after ");
    CHECK(server.end() == 1);
    CHECK(server.says("drained"));
}

TEST_CASE("prefork: a worker that is not ready in time is killed, and counts as crashed") {
    auto options = on_loopback();
    options.start_limit = 20ms;
    options.restart.attempts = 2;
    prefork_server server{1, [](worker& self) { self.wait_for_drain(); }, options};
    server.wait_for("): killed: not ready within 20 ms");
    CHECK(server.end() == 1);
    CHECK(server.count(": killed: not ready within") == 2);
}

TEST_CASE("prefork: a worker may drain itself, and is replaced") {
    prefork_server server{1,
                          [](worker& self) {
                              self.serve([&](tcp_stream peer) {
                                  say_who(std::move(peer));
                                  self.drain();
                              });
                          },
                          on_loopback()};
    const auto port = server.port();
    const auto first = who_answers(port);
    server.wait_for(") ended with exit code 0 after ");
    const auto second = who_answers(port);
    CHECK(first);
    CHECK(second);
    CHECK(first != second);
}

TEST_CASE("restart_delay: doubles up to the maximum, is reset after a stable run, and ends at the limit") {
    coir::detail::restart_delay delay{{.first = 100ms, .longest = 300ms, .settled = 10s, .attempts = 4}};
    CHECK(delay.after(0ms) == 100ms);
    CHECK(delay.after(9'999ms) == 200ms);
    CHECK(delay.after(10s) == 0ms);
    CHECK(delay.after(0ms) == 100ms);
    CHECK(delay.after(0ms) == 200ms);
    CHECK(delay.after(0ms) == 300ms);
    CHECK(delay.after(0ms) == std::nullopt);
}

TEST_CASE("restart_delay: the longest durations do not overflow") {
    using std::chrono::milliseconds;
    coir::detail::restart_delay delay{
        {.first = 1ms, .longest = milliseconds::max(), .settled = milliseconds::max(), .attempts = 1000}};
    milliseconds last{0};
    for (int i = 1; i < 1000; ++i) {
        const auto next = delay.after(0ms);
        REQUIRE(next);
        CHECK(*next >= last);
        last = *next;
    }
    CHECK(last == milliseconds::max());
}

TEST_CASE("prefork: limits may be endless, or negative") {
    using std::chrono::milliseconds;
    auto options = on_loopback();
    options.grace = milliseconds::max();
    options.start_limit = milliseconds::max();
    options.run.blocking.stall_threshold = milliseconds::max();
    prefork_server endless{1, serve_who, options};
    endless.wait_for_workers(1);
    endless.signal(SIGTERM);
    CHECK(endless.end() == 0);

    options.grace = milliseconds::min();
    prefork_server none{1, [](worker& self) { self.ready(), coir::this_fiber::sleep_for(1h); }, options};
    none.wait_for_workers(1);
    none.signal(SIGTERM);
    none.wait_for("killed: not drained within");
    CHECK(none.end() == 0);
}

TEST_CASE("worker_process: formats durations") {
    CHECK(coir::detail::in_words(999ms) == "999 ms");
    CHECK(coir::detail::in_words(1'999ms) == "1 s");
    CHECK(coir::detail::in_words(119s) == "119 s");
    CHECK(coir::detail::in_words(10min) == "10 min");
}

// ---- shutdown -----------------------------------------------------------------------------------------------------

namespace {

/// Answers "begun", and the rest when the client asks for it.
void serve_slowly(worker& self) {
    self.serve([](tcp_stream peer) {
        peer.write_all("begun\n");
        std::array<std::byte, 1> go_on;
        if (peer.read_some(go_on) == 1) peer.write_all("done\n");
    });
}

}  // namespace

TEST_CASE("prefork: SIGTERM lets requests in progress finish, and no connection is accepted any more") {
    prefork_server server{2, serve_slowly, on_loopback()};
    const auto port = server.port();
    const plain_client client{port};
    CHECK(client.line() == "begun");
    server.signal(SIGTERM);
    server.wait_for("prefork: SIGTERM received");
    for (bool refused = false; !refused;) {
        const plain_client late{port};  // it may still be accepted between the two signals
        refused = !late.connected();
    }
    client.say("!");
    CHECK(client.line() == "done");
    CHECK(server.end() == 0);
    CHECK_FALSE(server.says("killed"));
}

TEST_CASE("prefork: a worker that does not end within the grace period is killed") {
    auto options = on_loopback();
    options.grace = 20ms;
    prefork_server server{1, serve_slowly, options};
    const plain_client client{server.port()};
    CHECK(client.line() == "begun");
    server.signal(SIGTERM);
    server.wait_for(": killed: not drained within 20 ms");
    CHECK(server.end() == 0);
    CHECK(server.says("was killed by signal 9"));
    CHECK_FALSE(client.line());
}

TEST_CASE("prefork: a second stop signal ends the grace period") {
    auto options = on_loopback();
    options.grace = std::chrono::milliseconds::max();
    prefork_server server{1, serve_slowly, options};
    const plain_client client{server.port()};
    CHECK(client.line() == "begun");
    server.signal(SIGTERM);
    server.wait_for("prefork: SIGTERM received");
    server.signal(SIGINT);
    CHECK(server.end() == 0);
    CHECK(server.says("prefork: second stop signal: killing the workers"));
}

TEST_CASE("prefork: a stop signal while a worker restart is pending ends the parent") {
    auto options = on_loopback();
    options.restart.first = 1h;
    options.restart.longest = 1h;
    prefork_server server{1, [](worker&) {}, options};
    server.wait_for("a replacement starts in 60 min");
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: if its parent is killed a worker stops cleanly, and is killed if a fiber blocks its thread") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    prefork_server server{2,
                          [](worker& self) {
                              self.ready();
                              try {
                                  self.wait_for_drain();
                              } catch (const coir::cancelled&) {
                                  tell("stopped");
                                  coir::allow_blocking here{"a hog, for the test"};
                                  for (volatile bool holds = self.index() == 1; holds;) {
                                  }
                                  throw;
                              }
                          },
                          on_loopback()};
    const auto workers = server.wait_for_workers(2);
    server.signal(SIGKILL);
    server.wait_for("stopped");
    for (const pid_t each : workers) CHECK(orphan_ends(each));
    CHECK(server.end() == -SIGKILL);
    CHECK(server.count("stopped") == 2);
    CHECK(server.count("stopping: the parent process has died") == 2);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_CASE("prefork: restores the signal mask") {
    const auto ended = coir::test::in_child([] {
        auto options = on_loopback();
        options.restart.attempts = 1;
        CHECK(coir::prefork(
                  1, [](worker&) {}, options) == 1);
        sigset_t now;
        ::sigprocmask(SIG_BLOCK, nullptr, &now);
        for (const int each : {SIGTERM, SIGINT, SIGHUP}) {
            if (::sigismember(&now, each) == 1) throw std::runtime_error{"blocked"};
        }
    });
    CHECK_FALSE(ended.died());
}

// ---- rolling restarts --------------------------------------------------------------------------------------------

TEST_CASE("prefork: SIGHUP replaces all workers, and no connection is refused or reset meanwhile") {
    for (const bool reuse_port : {false, true}) {
        auto options = on_loopback();
        options.reuse_port = reuse_port;
        prefork_server server{2, serve_who, options};
        const auto port = server.port();
        const auto before = server.wait_for_workers(2);
        server.signal(SIGHUP);
        int lost = 0;
        std::set<pid_t> seen;
        const auto drained = [&server](pid_t id) {
            return server.says("(pid " + std::to_string(id) + ") ended with exit code 0");
        };
        while (!drained(before[0]) || !drained(before[1])) {
            const auto answer = who_answers(port);
            if (answer) seen.insert(*answer);
            lost += answer ? 0 : 1;
        }
        CHECK(lost == 0);
        const auto after = who_answers(port);
        CHECK(after);
        CHECK(after != before[0]);
        CHECK(after != before[1]);
        CHECK(server.says("prefork: rolling restart complete"));
        server.signal(SIGTERM);
        CHECK(server.end() == 0);
    }
}

TEST_CASE("prefork: in a rolling restart the old worker finishes its requests") {
    prefork_server server{1, serve_slowly, on_loopback()};
    const auto port = server.port();
    const plain_client old{port};
    CHECK(old.line() == "begun");
    server.signal(SIGHUP);
    server.wait_for("prefork: rolling restart complete");
    old.say("!");
    CHECK(old.line() == "done");
    server.wait_for("; it was asked to drain");
    const plain_client young{port};
    CHECK(young.line() == "begun");
    young.say("!");
    CHECK(young.line() == "done");
}

TEST_CASE("prefork: a new worker that fails ends the rolling restart, and the old workers continue") {
    const coir::test::temporary_folder folder;
    const std::string flag = folder.file("broken");
    auto options = on_loopback();
    options.start_limit = 2s;
    if (coir::test::sanitized) options.start_limit = 10s;
    prefork_server server{2,
                          [&](worker& self) {
                              if (std::filesystem::exists(flag + "1")) throw std::runtime_error{"broken"};
                              if (std::filesystem::exists(flag + "2")) return self.wait_for_drain();
                              serve_who(self);
                          },
                          options};
    const auto port = server.port();
    const auto workers = server.wait_for_workers(2);
    for (const char* how : {"1", "2"}) {
        std::fclose(std::fopen((flag + how).c_str(), "w"));
        server.signal(SIGHUP);
        server.wait_for("; rolling restart aborted: the old workers keep running");
        const auto answer = who_answers(port).value();
        CHECK((answer == workers[0] || answer == workers[1]));
        std::filesystem::remove(flag + how);
    }
    server.signal(SIGHUP);  // repaired
    server.wait_for("prefork: rolling restart complete");
    CHECK(who_answers(port));
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: a SIGHUP during a rolling restart causes another one") {
    const coir::test::temporary_folder folder;
    const std::string gate = folder.file("gate");
    prefork_server server{1, behind(gate), on_loopback()};
    server.wait_for_workers(1);
    std::fclose(std::fopen(gate.c_str(), "w"));
    server.signal(SIGHUP);
    server.wait_for("begins");
    server.signal(SIGHUP);
    server.signal(SIGHUP);  // counts as one
    std::filesystem::remove(gate);
    for (int i = 0; i < 2; ++i) server.wait_for("prefork: rolling restart complete");
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
    CHECK(server.count("rolling restart begins") == 2);
}

TEST_CASE("prefork: if the old worker dies while its replacement starts, the replacement takes over") {
    const coir::test::temporary_folder folder;
    const std::string gate = folder.file("gate");
    prefork_server server{1, behind(gate), on_loopback()};
    const auto port = server.port();
    const pid_t old = server.wait_for_workers(1).front();
    std::fclose(std::fopen(gate.c_str(), "w"));
    server.signal(SIGHUP);
    server.wait_for("begins");
    ::kill(old, SIGKILL);
    server.wait_for("; its successor is already starting");
    std::filesystem::remove(gate);
    const pid_t young = server.wait_for_workers(1).front();
    CHECK(who_answers(port) == young);
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

// ---- systemd -----------------------------------------------------------------------------------------------------

namespace {

/// The notification socket of a service manager.
class notice_board {
public:
    explicit notice_board(const std::string& path) : fd_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
        const auto at = coir::net::endpoint::local(path);
        REQUIRE(::bind(fd_, at.data(), at.size()) == 0);
        const timeval patience{patience_ms / 1000, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    ~notice_board() { ::close(fd_); }
    notice_board(const notice_board&) = delete;
    notice_board& operator=(const notice_board&) = delete;

    [[nodiscard]] std::string next() const {
        std::array<char, 256> text;
        const ssize_t n = uninterrupted([&] { return ::recv(fd_, text.data(), text.size(), 0); });
        return n < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(n));
    }

private:
    int fd_;
};

}  // namespace

TEST_CASE("prefork: notifies the service manager of readiness, reload and stop") {
    const coir::test::temporary_folder folder;
    for (const std::string& path : {folder.file("notify"), "@coir-test-" + std::to_string(::getpid())}) {
        const notice_board manager{path};
        prefork_server server{2, serve_who, on_loopback(), [&] { ::setenv("NOTIFY_SOCKET", path.c_str(), 1); }};
        CHECK(manager.next() == "READY=1");
        CHECK(server.count("is ready") == 2);
        server.signal(SIGHUP);
        const std::string reloading = manager.next();
        CHECK(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="));
        CHECK(std::stoll(reloading.substr(reloading.rfind('=') + 1)) > 0);
        CHECK(manager.next() == "READY=1");
        server.signal(SIGTERM);
        CHECK(manager.next() == "STOPPING=1");
        CHECK(server.end() == 0);
    }
}

TEST_CASE("prefork: continues if the service manager does not listen") {
    prefork_server server{1, serve_who, on_loopback(), [] { ::setenv("NOTIFY_SOCKET", "@coir-test-nobody", 1); }};
    server.wait_for("cannot send 'READY=1' to NOTIFY_SOCKET '@coir-test-nobody'");
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: sockets from systemd replace those of the options, and workers do not see the variables") {
    auto bound = coir::net::tcp_listener::bind({"127.0.0.1", 0});
    const auto port = bound.local_endpoint().port();
    auto options = on_loopback();
    options.listen = {{"192.0.2.1", 1}};  // an address that cannot be bound
    options.reuse_port = true;
    prefork_server server{2,
                          [](worker& self) {
                              for (const char* each : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
                                  if (std::getenv(each) != nullptr) tell("a worker sees "s + each);
                              serve_who(self);
                          },
                          options,
                          [&] {
                              ::dup2(bound.native_handle(), 3);
                              ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
                              ::setenv("LISTEN_FDS", "1", 1);
                              ::setenv("LISTEN_FDNAMES", "web", 1);
                          }};
    CHECK(server.port() == port);
    const auto workers = server.wait_for_workers(2);
    ::kill(workers[0], SIGKILL);
    server.wait_for(") is ready");
    CHECK(who_answers(port));
    CHECK_FALSE(server.says("a worker sees"));
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: sockets passed to another process are ignored") {
    prefork_server server{1, serve_who, on_loopback(), [] {
                              ::setenv("LISTEN_PID", std::to_string(::getppid()).c_str(), 1);
                              ::setenv("LISTEN_FDS", "1", 1);
                          }};
    CHECK(who_answers(server.port()));
}

// ---- misuse ------------------------------------------------------------------------------------------------------

TEST_CASE("prefork: throws within a fiber") {
    coir::run([] { CHECK_THROWS_AS(coir::prefork(1, [](worker&) {}), std::logic_error); });
}

TEST_CASE("prefork: an address that cannot be bound is named, and no worker is started") {
    prefork_options options;
    options.listen = {{"192.0.2.1", 1}};
    CHECK_THROWS_WITH_AS(coir::prefork(
                             1, [](worker&) {}, options),
                         doctest::Contains("tcp_listener::bind to 192.0.2.1:1"), std::system_error);
}

TEST_CASE("prefork: warns if the program has other threads, but not of threads of coir's own pool") {
    const coir::test::captured_log log;
    prefork_options options;
    options.listen = {{"192.0.2.1", 1}};
    coir::detail::thread_pool::end_all_of_process();
    CHECK_THROWS_AS(coir::prefork(
                        1, [](worker&) {}, options),
                    std::system_error);
    CHECK(log.count("other threads") == (coir::test::thread_sanitized ? 1 : 0));   // the runtime of TSan has one
    coir::run([] { static_cast<void>(coir::io::read_file("/proc/self/comm")); });  // on a thread of the pool
    CHECK_THROWS_AS(coir::prefork(
                        1, [](worker&) {}, options),
                    std::system_error);
    CHECK(log.count("other threads") == (coir::test::thread_sanitized ? 2 : 0));
    std::atomic<bool> ends = false;
    std::thread other{[&] { ends.wait(false); }};
    CHECK_THROWS_AS(coir::prefork(
                        1, [](worker&) {}, options),
                    std::system_error);
    CHECK(log.count("other threads") == (coir::test::thread_sanitized ? 3 : 1));
    ends = true;
    ends.notify_all();
    other.join();
}

// ---- adopted processes ----------------------------------------------------------------------------------------------

namespace {

void adopt_orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

/// Waits until this process has the parent `parent`, or is gone.
void wait_until_adopted_or_gone(pid_t process, pid_t parent) {
    const std::string status = "/proc/" + std::to_string(process) + "/stat";
    for (;;) {
        std::ifstream in{status};
        std::string number, name, state;
        pid_t of = 0;
        if (!(in >> number >> name >> state >> of) || of == parent) return;
        coir::this_fiber::sleep_for(1ms);
    }
}

/// Starts a process that goes on when its parent has ended. Call it in a worker. Returns its ID.
pid_t start_orphan(const std::string& script) {
    const auto shell = coir::run_process({"sh", "-c", script + " >/dev/null 2>&1 & echo $!"});
    const pid_t orphan = std::stoi(shell.output);
    wait_until_adopted_or_gone(orphan, ::getppid());
    return orphan;
}

}  // namespace

TEST_CASE("prefork: a parent that adopts orphans reaps them") {
    const auto main = [](worker& self) {
        for (int i = 0; i < 5; ++i) {
            const pid_t orphan = start_orphan(i % 2 == 0 ? "sleep 0.05" : "true");
            while (::kill(orphan, 0) == 0) coir::this_fiber::sleep_for(1ms);  // a zombie can still be signalled
        }
        tell("all are gone");
        serve_who(self);
    };
    prefork_server server{1, main, on_loopback(), adopt_orphans};
    server.wait_for("all are gone");
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: a parent that adopts orphans leaves alone the children that the program waits for itself") {
    static pid_t early = 0, late = 0;
    static int calls = 0;
    const auto start = [](int code) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(code);
        return child;
    };
    const auto code_of = [](pid_t child) {
        const int status = coir::test::status_of(child);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };
    auto options = on_loopback();
    options.on_stats = [&](auto, auto&) {
        if (++calls == 1) late = start(5);
        if (calls < 3) return;
        tell("early " + std::to_string(code_of(early)) + ", late " + std::to_string(code_of(late)));
        early = late = 0;
    };
    const auto main = [](worker& self) {
        start_orphan("true");
        serve_who(self);
    };
    prefork_server server{1, main, options, [&] {
                              adopt_orphans();
                              early = start(4);
                          }};
    server.wait_for("early 4, late 5");
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: a parent that adopts orphans leaves children of other threads to them") {
    const auto options = on_loopback();
    prefork_server server{1, serve_who, options, [] {
                              adopt_orphans();
                              std::thread{[] {
                                  sigset_t all;
                                  ::sigfillset(&all);
                                  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
                                  for (int i = 0; i < 20; ++i) {
                                      const pid_t child = ::fork();
                                      if (child == 0) ::_exit(6);
                                      ::usleep(10'000);
                                      int status = 0;
                                      const bool waited = ::waitpid(child, &status, 0) == child;
                                      if (!waited || WEXITSTATUS(status) != 6) tell("stolen");
                                  }
                                  tell("done");
                              }}.detach();
                          }};
    server.wait_for("done");
    CHECK_FALSE(server.says("stolen"));
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

// ---- statistics -----------------------------------------------------------------------------------------------------

TEST_CASE("prefork: the parent gets the statistics of its workers' schedulers, and the sum") {
    auto options = on_loopback();
    options.on_stats = [](std::span<const coir::worker_stats> workers, const coir::scheduler_stats& all) {
        coir::scheduler_stats sum;
        for (const auto& each : workers) {
            sum += each.scheduler;
            tell("of " + std::to_string(each.index) + " " + std::to_string(each.process));
        }
        if (workers.size() == 2 && sum.fibers_alive >= 2 * 11 && sum.fibers_alive == all.fibers_alive) tell("sum");
    };
    prefork_server server{2,
                          [](worker& self) {
                              coir::task_group sleepers;
                              for (int i = 0; i < 10; ++i) sleepers.spawn([&] { self.wait_for_drain(); });
                              self.ready();
                              sleepers.wait();
                          },
                          options};
    const auto workers = server.wait_for_workers(2);
    server.wait_for("sum");
    for (unsigned i = 0; i < 2; ++i) CHECK(server.says("of " + std::to_string(i) + " " + std::to_string(workers[i])));
    server.signal(SIGTERM);
    CHECK(server.end() == 0);
}

TEST_CASE("prefork: an exception of the parent's function is thrown, and the workers stop") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    auto options = on_loopback();
    options.on_stats = [](auto, auto&) { throw std::runtime_error{"of no use"}; };
    prefork_server server{1, serve_who, options};
    const pid_t worker = server.wait_for_workers(1).front();
    server.wait_for("thrown: of no use");
    CHECK(orphan_ends(worker));
    CHECK(server.end() == 100);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_CASE("shared_stats: readers see nothing before the first write, and never a partial write") {
    coir::detail::shared_stats shared;
    CHECK_FALSE(shared.read());
    std::atomic<bool> ends = false;
    std::thread writer{[&] {
        for (std::uint64_t i = 0; !ends; ++i) shared.write({.fibers_alive = i, .switches = i, .stacks_pooled = i});
    }};
    int read = 0;
    while (read < 1000) {
        const auto now = shared.read();
        if (!now) continue;
        ++read;
        if (now->fibers_alive != now->switches || now->switches != now->stacks_pooled) FAIL("half");
    }
    ends = true;
    writer.join();
}
