#pragma once

#include <coir/coir.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

// ---- in a worker -------------------------------------------------------------------------------------------------

/// A minimal HTTP/1.1 handler: answers each request with the text; requests have no body. The connection stays open
/// until the worker drains: then the next answer has "Connection: close", and an idle connection is closed.
inline void answer_requests(const coir::worker& self, coir::net::tcp_stream peer, const std::string& text) {
    using namespace std::chrono_literals;
    coir::io::buffered_reader from{peer};
    for (bool is_last = false; !is_last;) {
        is_last = self.draining();
        try {
            if (from.read_until("\r\n\r\n", 500ms).empty()) return;
        } catch (const coir::timed_out&) {
            continue;
        }
        is_last = self.draining();
        peer.write_all("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n" +
                       (is_last ? "Connection: close\r\n" : "") + "\r\n" + text);
    }
}

// ---- outside: the demonstration ----------------------------------------------------------------------------------

/// Another process of this program, as a prefork server. Prints the server's log up to the line that is waited for.
class prefork_process {
public:
    prefork_process(std::string name, const std::string& argument)
        : name_{std::move(name)}, process_{
                                      coir::process::spawn({std::filesystem::read_symlink("/proc/self/exe"), argument},
                                                           {.standard_error = coir::redirection::pipe()})} {}
    prefork_process(const prefork_process&) = delete;
    prefork_process& operator=(const prefork_process&) = delete;

    /// Waits for a log line that contains `text`; returns the rest of that line.
    std::string wait_for(const std::string& text) {
        while (const auto line = log_.read_line(std::chrono::seconds{30})) {
            // Strip the time, the level and the name of the library.
            const auto from = line->find("coir: ");
            std::printf("  %s: %s\n", name_.c_str(),
                        std::string{line->substr(from == line->npos ? 0 : from + 6)}.c_str());
            if (const auto found = line->find(text); found != line->npos)
                return std::string{line->substr(found + text.size())};
        }
        throw std::runtime_error{name_ + " has ended, and never said '" + text + "'"};
    }

    coir::net::endpoint wait_for_endpoint() { return coir::net::endpoint::parse(wait_for("listening on ")); }

    /// Waits for a line such as "worker 0 (pid 123) is ready"; returns the pid.
    pid_t wait_for_worker() { return std::stoi(wait_for(" (pid ")); }

    void send_signal(int signal) { process_.send_signal(signal); }

    void wait_for_end() {
        while (const auto line = log_.read_line(std::chrono::seconds{30})) {
        }
        std::printf("  %s: %s\n", name_.c_str(), process_.wait().to_string().c_str());
    }

private:
    std::string name_;
    coir::process process_;
    coir::io::buffered_reader<coir::io::reader> log_{process_.standard_error()};
};

struct load_result {
    long answered = 0, failed = 0;
};

/// Sends a GET request; returns the body of the answer.
inline std::string get(const coir::net::endpoint& at) {
    using namespace std::chrono_literals;
    auto stream = coir::net::tcp_stream::connect(at, 10s);
    stream.write_all("GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    coir::io::buffered_reader from{stream};
    std::size_t length = 0;
    const std::string head{from.read_until("\r\n\r\n", 10s)};
    const auto size = head.find("Content-Length: ");
    if (!head.starts_with("HTTP/1.1 200") || size == head.npos) throw std::runtime_error{"the answer was: " + head};
    length = std::stoul(head.substr(size + 16));
    const std::string body{from.read_exactly(length, 10s)};
    if (body.size() != length) throw std::runtime_error{"the answer ends in the middle"};
    return body;
}

/// Sends requests for `length` without pause, with wrk over eight connections. If wrk is not installed, eight fibers
/// send them, with a new connection for each request.
inline load_result put_under_load(const coir::net::endpoint& at, std::chrono::seconds length) try {
    const auto wrk = coir::run_process({"wrk", "-t1", "-c8", "-d" + std::to_string(length.count()), "--timeout", "10",
                                        "http://" + at.to_string() + "/"});
    const auto number_at = [&](const std::string& before) {
        const auto found = wrk.output.find(before);
        return found == wrk.output.npos ? 0 : std::stol(wrk.output.substr(found + before.size()));
    };
    load_result made;
    // wrk prints "  12345 requests in 2.00s, 1.23MB read"; it prints the error lines only if there are errors.
    if (const auto found = wrk.output.find(" requests in "); found != wrk.output.npos)
        made.answered = std::stol(wrk.output.substr(wrk.output.rfind('\n', found) + 1));
    for (const char* each : {"connect ", "read ", "write ", "timeout "})
        if (wrk.output.find("Socket errors: ") != wrk.output.npos) made.failed += number_at(each);
    made.failed += number_at("Non-2xx or 3xx responses: ");
    return made;
} catch (const std::system_error& failure) {
    if (failure.code() != std::errc::no_such_file_or_directory) throw;
    std::printf("wrk is not installed (on Debian: apt install wrk), and fibers ask instead\n");
    load_result made;
    const coir::deadline until{length};
    const auto ask = [&] {
        while (!until.has_passed()) {
            try {
                get(at);
                ++made.answered;
            } catch (const std::exception& lost) {
                std::printf("lost: %s\n", lost.what());
                ++made.failed;
            }
        }
    };
    coir::gather(std::vector(8, ask));
    return made;
}
