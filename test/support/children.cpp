#include "support/children.hpp"

#include <coir/io/buffered_reader.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <sys/wait.h>
#include <utility>

using namespace std::chrono_literals;

namespace coir::test {

process shell(const std::string& script, process_options options) {
    return process::spawn({"sh", "-c", script}, std::move(options));
}

process endless(const std::string& before) {
    process made = shell(before + " echo ready; exec sleep 1000", {.standard_output = redirection::pipe()});
    if (read_line(made.standard_output()) != "ready\n") throw std::runtime_error{"a process has not begun"};
    return made;
}

std::string read_all(io::reader& from) {
    std::string all;
    std::array<char, 4096> piece;
    while (const std::size_t n = from.read_some(std::as_writable_bytes(std::span{piece}), 30s)) {
        all.append(piece.data(), n);
    }
    return all;
}

std::string read_line(io::reader& from) {
    io::buffered_reader lines{from};
    return std::string{lines.read_until("\n", 30s)};
}

bool is_there(pid_t process) { return ::kill(process, 0) == 0 || errno != ESRCH; }

bool has_children() {
    siginfo_t ignored{};
    return ::waitid(P_ALL, 0, &ignored, WEXITED | WNOHANG | WNOWAIT) == 0;
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all{"/proc/self/fd"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace coir::test
