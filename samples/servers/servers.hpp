#pragma once

#include <coir/coir.hpp>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

/// A folder under /tmp for a server's files, which goes with it. Made and removed before and after fibers run: a disk
/// takes its time.
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

/// Starts a server's program; says which package it comes from where there is none.
inline coir::process start_server(std::vector<std::string> arguments, const std::string& package) try {
    return coir::process::spawn(std::move(arguments), {.standard_output = coir::redirection::null(),
                                                       .standard_error = coir::redirection::null()});
} catch (const std::system_error& failure) {
    throw std::runtime_error{std::string{failure.what()} + "; on Debian: apt install " + package};
}

/// Until `connects` does not throw any more, or the server has ended instead.
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
