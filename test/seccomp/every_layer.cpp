// Uses each layer once, and prints for each part whether it worked: `PART: right`, `PART: wrong`, or `PART: refused:
// MESSAGE`. Exits with 1 if a part was wrong.
#include <coir/coir.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

bool all_right = true;

void require(bool holds, const char* what) {
    if (!holds) throw std::logic_error{what};
}

/// Reports a refusal whose reason is in the log.
[[noreturn]] void refuse(const char* what) {
    throw std::system_error{std::make_error_code(std::errc::operation_not_permitted), what};
}

void part(const char* name, const std::function<void()>& body) {
    std::string verdict = "right";
    try {
        body();
    } catch (const std::system_error& refused) {
        verdict = std::string{"refused: "} + refused.what();
    } catch (const std::exception& wrong) {
        verdict = std::string{"wrong: "} + wrong.what();
        all_right = false;
    }
    std::printf("%s: %s\n", name, verdict.c_str());
}

/// Sends a word at one end and expects it back, in upper case, from a fiber at the other end.
void converse(coir::net::stream& here, coir::net::stream& there) {
    auto answers = coir::spawn([&] {
        std::array<char, 16> word{};
        const auto n = there.read_some(std::as_writable_bytes(std::span{word}), 20s);
        require(std::string_view{word.data(), n} == "hello", "another question");
        there.write_all("HELLO");
    });
    here.write_all("hello");
    std::array<char, 16> word{};
    const auto n = here.read_some(std::as_writable_bytes(std::span{word}), 20s);
    require(std::string_view{word.data(), n} == "HELLO", "another answer");
    answers.get();
}

void timers() {
    const auto before = std::chrono::steady_clock::now();
    auto other = coir::spawn([] { coir::this_fiber::sleep_for(300us); });
    coir::this_fiber::sleep_for(2ms);
    other.get();
    require(std::chrono::steady_clock::now() - before >= 2ms, "it woke too early");
}

void pipes() {
    auto [reader, writer] = coir::io::pipe();
    auto writes = coir::spawn([&writer = writer] {
        coir::this_fiber::sleep_for(1ms);
        writer.write_all("hello");
        writer.close();
    });
    std::array<char, 16> word{};
    require(reader.read_some(std::as_writable_bytes(std::span{word}), 20s) == 5, "another length");
    writes.get();
}

void tcp() {
    auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
    auto accepting = coir::spawn([&] { return listener.accept(20s); });
    auto here = coir::net::tcp_stream::connect(listener.local_endpoint(), 20s);
    auto there = accepting.get();
    converse(here, there);
}

void unix_sockets() {
    auto [here, there] = coir::net::unix_stream::pair();
    converse(here, there);
}

void udp() {
    auto server = coir::net::udp_socket::bind({"127.0.0.1", 0});
    auto client = coir::net::udp_socket::connect(server.local_endpoint());
    client.send(std::as_bytes(std::span{"hello", 5}));
    std::array<std::byte, 16> word{};
    require(server.receive(word, 20s) == 5, "another length");
}

void files(const std::filesystem::path& folder) {
    coir::io::replace_file(folder / "data", "hello");
    require(coir::io::read_file(folder / "data") == "hello", "another content");
}

void directories(const std::filesystem::path& folder) {
    coir::io::directory_watch watch{folder};
    std::filesystem::create_directory(folder / "made");
    require(watch.next(20s).name == "made", "another name");
}

void processes() {
    require(coir::run_process({"cat"}, "hello").output == "hello", "another output");
    auto sleeps = coir::process::spawn({"sleep", "1000"});
    require(sleeps.terminate_then_kill(20s).signal == SIGTERM, "ended by another signal");
}

void signals() {
    coir::signal_set awaited{SIGUSR1};
    ::raise(SIGUSR1);
    require(awaited.wait(20s) == SIGUSR1, "another signal");
}

void threads() {
    std::atomic<int> sum{0};
    coir::run_on_cores(2, [&](unsigned core) { sum += static_cast<int>(core) + 1; });
    require(sum == 3, "another sum");
}

void workers() {
    coir::prefork_options options;
    options.restart = {.first = 1ms, .attempts = 2};
    const int code = coir::prefork(
        1,
        [](coir::worker& self) {
            self.ready();
            ::kill(::getppid(), SIGTERM);
            self.wait_for_drain();
        },
        options);
    if (code != 0) refuse("a worker did not start");
}

/// A blocking call must be found by `engine`; if the watchdog thread is refused, the log must say so.
void detection(coir::blocking_engine engine) {
    std::atomic<int> found{0};
    bool is_on = false;
    coir::run_options options;
    options.blocking.engine = engine;
    options.blocking.stall_threshold = 5ms;
    options.blocking.on_report = [&](const coir::blocking_report&) { ++found; };
    // On a busy machine, the watchdog may be late.
    for (int tries = 0; found == 0 && tries < 20; ++tries) {
        coir::run(options, [&] {
            is_on = coir::active_engine().on;
            std::this_thread::sleep_for(30ms);
        });
        if (!is_on) refuse("detection is off");
    }
    require(found > 0, "nothing was found");
}

void in_fiber(const char* name, const std::function<void()>& body) {
    part(name, [&] { coir::run([&] { body(); }); });
}

}  // namespace

int main(int, char** arguments) {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    const std::filesystem::path folder = arguments[1];
    part("prefork", workers);  // first, since it forks: this process has only one thread yet
    in_fiber("time", timers);
    in_fiber("pipe", pipes);
    in_fiber("tcp", tcp);
    in_fiber("unix", unix_sockets);
    in_fiber("udp", udp);
    in_fiber("signal_set", signals);
    in_fiber("directory_watch", [&] { directories(folder); });
    in_fiber("offload", [] { require(coir::offload([] { return 42; }) == 42, "another result"); });
    in_fiber("file", [&] { files(folder); });
    in_fiber("process", processes);
    part("run_on_cores", threads);
    part("detection by the watchdog", [] { detection(coir::blocking_engine::watch); });
    part("detection by hooks", [] { detection(coir::blocking_engine::hooks); });
    part("detection by traps", [] { detection(coir::blocking_engine::trap); });
    std::puts("the end");
    return all_right ? 0 : 1;
}
