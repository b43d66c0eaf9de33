// The load generator of the echo benchmark:
//
//     bench_echo_load [--count-calls] <server> <connections> <requests>
//
// starts the server program that lies beside it, on the core that it was itself started on, moves to another core,
// and keeps every connection busy with 64 bytes out, 64 bytes back. It reports the processor time of the whole server
// process for each request after a warm-up, or, with --count-calls, the system calls that strace saw meanwhile.

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "benchmarks.hpp"
#include "contender.hpp"
#include "echo_server.hpp"

namespace {

constexpr std::size_t message_bytes = 64;

struct options {
    bool count_calls = false;
    std::string server;
    long connections = 0;
    long requests = 0;
};

/// The server's process, alive as long as this object.
class server {
public:
    /// Started under strace where `log` names a file for it to write.
    server(const std::string& program, const std::string& log) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) bench::fail("pipe2");
        child_ = fork();
        if (child_ < 0) bench::fail("fork");
        if (child_ == 0) {
            dup2(ends[1], STDOUT_FILENO);
            if (log.empty()) {
                execl(program.c_str(), program.c_str(), nullptr);
            } else {
                execlp("strace", "strace", "-I", "2", "-f", "-o", log.c_str(), program.c_str(), nullptr);
            }
            bench::fail(program.c_str());
        }
        close(ends[1]);
        std::FILE* output = fdopen(ends[0], "r");
        unsigned port = 0;
        if (std::fscanf(output, "port %u", &port) != 1) {
            std::fprintf(stderr, "%s names no port\n", program.c_str());
            std::exit(EXIT_FAILURE);
        }
        port_ = static_cast<std::uint16_t>(port);
        std::fclose(output);
    }

    ~server() {
        kill(child_, SIGTERM);  // strace, told so by -I 2, ends its tracee as well
        waitpid(child_, nullptr, 0);
    }

    server(const server&) = delete;
    server& operator=(const server&) = delete;

    std::uint16_t port() const { return port_; }

    /// User and system time of all its threads, so far.
    double cpu_seconds() const {
        clockid_t clock;
        timespec used;
        if (clock_getcpuclockid(child_, &clock) != 0 || clock_gettime(clock, &used) != 0)
            bench::fail("clock_getcpuclockid");
        return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
    }

private:
    pid_t child_ = -1;
    std::uint16_t port_ = 0;
};

/// A closed loop over all connections: each sends its next request when it has the whole answer to the last one.
class load {
public:
    load(std::uint16_t port, long connections) : received_(static_cast<std::size_t>(connections)) {
        for (std::size_t i = 0; i < received_.size(); ++i) sockets_.push_back(connect_to(port, i));
        for (const int fd : sockets_) send_request(fd);
    }

    /// Takes `count` answers, each of which makes room for the next request.
    void exchange(long count) {
        std::array<epoll_event, 128> events;
        for (long done = 0; done < count;) {
            const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 10'000);
            if (ready <= 0) bench::fail("no answer for ten seconds");
            for (int i = 0; i < ready; ++i) done += receive(events[static_cast<std::size_t>(i)].data.u64);
        }
    }

private:
    int connect_to(std::uint16_t port, std::size_t index) {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) bench::fail("connect");
        bench::send_at_once(fd);
        epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = index}};
        if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) bench::fail("epoll_ctl");
        return fd;
    }

    void send_request(int fd) {
        static constexpr std::array<char, message_bytes> message{'h', 'e', 'l', 'l', 'o'};
        if (send(fd, message.data(), message.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(message.size()))
            bench::fail("send");
    }

    /// 1 if that was the rest of an answer, else 0.
    long receive(std::size_t index) {
        std::array<char, message_bytes> buffer;
        const ssize_t n = recv(sockets_[index], buffer.data(), buffer.size() - received_[index], MSG_DONTWAIT);
        if (n <= 0) bench::fail("recv");
        received_[index] += static_cast<std::size_t>(n);
        if (received_[index] < message_bytes) return 0;
        received_[index] = 0;
        send_request(sockets_[index]);
        return 1;
    }

    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
    std::vector<int> sockets_;           // closed by the end of the process
    std::vector<std::size_t> received_;  // bytes of the answer that is under way, by connection
};

/// Leaves the core that the server inherited, if there is another one.
void move_to_another_core() {
    const int here = sched_getcpu();
    for (int core = 0; core < sysconf(_SC_NPROCESSORS_ONLN); ++core) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(core), &one);
        if (core != here && sched_setaffinity(0, sizeof one, &one) == 0) return;
    }
    std::fputs("note: one core only, the load generator takes its share of it\n", stderr);
}

/// Calls in strace's log so far. A call that was interrupted in the log is counted where it began.
double calls_in(const std::string& log) {
    std::ifstream lines{log};
    double calls = 0;
    for (std::string line; std::getline(lines, line);) calls += line.find("<... ") == std::string::npos;
    return calls;
}

bool strace_works() { return std::system("strace -o /dev/null true 2>/dev/null") == 0; }

void measure_cpu(const options& how, const std::string& program) {
    const server server{program, {}};
    move_to_another_core();
    load load{server.port(), how.connections};
    load.exchange(how.requests / 10);
    const double start = server.cpu_seconds();
    load.exchange(how.requests);
    bench::report("us", (server.cpu_seconds() - start) * 1e6 / static_cast<double>(how.requests));
}

void count_calls(const options& how, const std::string& program) {
    const std::string log = std::filesystem::temp_directory_path() / ("echo-calls." + std::to_string(getpid()));
    {
        const server server{program, log};
        move_to_another_core();
        load load{server.port(), how.connections};
        load.exchange(how.requests / 10);
        const double before = calls_in(log);
        load.exchange(how.requests);
        bench::report("calls", (calls_in(log) - before) / static_cast<double>(how.requests));
    }
    std::filesystem::remove(log);
}

}  // namespace

int main(int argc, char** argv) {
    options how;
    int at = 1;
    if (at < argc && std::string_view{argv[at]} == "--count-calls") how.count_calls = true, ++at;
    if (argc - at != 3) {
        std::fprintf(stderr, "usage: %s [--count-calls] <server> <connections> <requests>\n", argv[0]);
        return EXIT_FAILURE;
    }
    how.server = argv[at];
    how.connections = std::atol(argv[at + 1]);
    how.requests = std::atol(argv[at + 2]);

    const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / how.server;
    if (!std::filesystem::exists(program)) return bench::exit_unavailable;
    if (how.count_calls && !strace_works()) return bench::exit_unavailable;
    how.count_calls ? count_calls(how, program) : measure_cpu(how, program);
    return EXIT_SUCCESS;
}
