#pragma once

#include <coir/coir.hpp>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

/// A temporary folder for the files of a server; the destructor removes it. Construct it before and destroy it after
/// fibers run, since disk access blocks the thread.
struct server_folder {
    explicit server_folder(const std::string& name)
        : path{std::filesystem::temp_directory_path() / ("coir-" + name + "-" + std::to_string(::getpid()))} {
        std::filesystem::create_directory(path);
    }
    ~server_folder() { std::filesystem::remove_all(path); }
    server_folder(const server_folder&) = delete;
    server_folder& operator=(const server_folder&) = delete;

    std::filesystem::path path;
};

/// Starts the program of a server. If it is not installed, the error names its Debian package.
inline coir::process start_server(std::vector<std::string> arguments, const std::string& package) try {
    return coir::process::spawn(std::move(arguments), {.standard_output = coir::redirection::null(),
                                                       .standard_error = coir::redirection::null()});
} catch (const std::system_error& failure) {
    throw std::runtime_error{std::string{failure.what()} + "; on Debian: apt install " + package};
}

/// Repeats `connects` until it does not throw. Throws if the server has ended.
template <class F> void wait_until_ready(coir::process& server, F connects) {
    for (int attempts = 0;; ++attempts) {
        try {
            return connects();
        } catch (const std::exception&) {
            if (const auto ended = server.try_wait())
                throw std::runtime_error{"the server has ended: " + ended->to_string()};
            if (attempts == 500) throw;
        }
        coir::this_fiber::sleep_for(std::chrono::milliseconds{20});
    }
}
