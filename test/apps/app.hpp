#pragma once

#include <coir/coir.hpp>

#include "support/children.hpp"
#include "support/text.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace coir::test {

/// An app as a separate process, listening on a free port.
class app {
public:
    /// `arguments` follow the port. With a limit of descriptors, if given.
    explicit app(const std::string& name, std::vector<std::string> arguments = {}, int descriptors_max = 0)
        : process_{process::spawn(
              command(name, std::move(arguments), descriptors_max),
              {.standard_output = redirection::pipe(), .standard_error = redirection::standard_output()})} {
        io::buffered_reader lines{process_.standard_output()};
        const std::string first{lines.read_line(std::chrono::seconds{10}).value_or("")};
        const std::size_t begin = first.find("127.0.0.1:");  // "http server on 127.0.0.1:1234, until Ctrl-C"
        at_ = net::endpoint::parse(first.substr(begin, first.find_first_of("/,", begin + 10) - begin));
    }

    [[nodiscard]] net::endpoint at() const { return at_; }
    [[nodiscard]] net::tcp_stream connect() const { return net::tcp_stream::connect(at_, std::chrono::seconds{10}); }

    /// The peak resident memory in KiB.
    [[nodiscard]] long memory() const {
        std::ifstream status{"/proc/" + std::to_string(process_.id()) + "/status"};
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
        }
        return 0;
    }

    /// Asks it to end, and waits for it. Returns its output.
    std::string end() {
        process_.terminate();
        CHECK(process_.wait(std::chrono::seconds{20}).success());
        return read_all(process_.standard_output());
    }

private:
    static std::vector<std::string> command(const std::string& name, std::vector<std::string> arguments,
                                            int descriptors_max) {
        std::vector<std::string> all{COIR_APPS "/" + name, "0"};
        if (descriptors_max > 0)
            all = {"sh", "-c", "ulimit -n " + std::to_string(descriptors_max) + " && exec \"$@\"", "sh", all[0], "0"};
        all.insert(all.end(), std::make_move_iterator(arguments.begin()), std::make_move_iterator(arguments.end()));
        return all;
    }

    process process_;
    net::endpoint at_;
};

/// Reads to the end of the stream, also if that is a reset.
inline std::string read_all(net::tcp_stream& from) {
    std::string all;
    try {
        for (std::string more = read_text(from, std::chrono::seconds{20}); !more.empty();
             more = read_text(from, std::chrono::seconds{20}))
            all += more;
    } catch (const std::system_error& failure) {
        if (failure.code() != std::errc::connection_reset) throw;
    }
    return all;
}

/// Reads until the text contains `end`, and returns it all.
inline std::string read_to(net::tcp_stream& from, const std::string& end) {
    std::string all;
    while (!contains(all, end)) {
        const std::string more = read_text(from, std::chrono::seconds{20});
        if (more.empty()) break;
        all += more;
    }
    return all;
}

/// Sends a text on a connection of its own, and returns all that comes back until the app ends the connection.
inline std::string ask(const app& asked, const std::string& sent) {
    auto stream = asked.connect();
    stream.write_all(sent, std::chrono::seconds{10});
    return read_all(stream);
}

/// The status of the first answer in a text; 0 if there is none.
inline int status_in(const std::string& text) {
    return text.starts_with("HTTP/1.1 ") && text.size() > 12 ? std::stoi(text.substr(9, 3)) : 0;
}

/// Sends a text of which the app may refuse a part. The fiber ends when the app does not take more.
inline fiber<void> start_sending(net::tcp_stream& to, const std::string& text) {
    return spawn([&to, &text] {
        std::error_code ec;
        to.write_all(std::as_bytes(std::span{text}), std::chrono::seconds{10}, ec);
    });
}

}  // namespace coir::test
