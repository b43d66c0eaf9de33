// A prefork server: two workers, a connection, and a drain.
#include <coir/coir.hpp>
#include <coir/process/prefork.hpp>

#include "faults/programs/declared.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unistd.h>

using namespace std::chrono_literals;

namespace coir::faults {

std::string preforking(const std::string&) {
    prefork_options options;
    options.listen = {{"127.0.0.1", 0}};
    options.start_limit = 2s;
    options.grace = 2s;
    options.restart = {.first = 1ms, .longest = 10ms, .attempts = 3};
    const pid_t parent = ::getpid();
    std::signal(SIGTERM, SIG_IGN);  // it may arrive when prefork has thrown
    const int code = prefork(
        2,
        [parent](worker& self) {
            if (self.index() == 0) {
                const auto client = net::tcp_stream::connect(self.listener().local_endpoint());
                if (::kill(parent, SIGTERM) != 0) throw std::system_error{errno, std::generic_category(), "kill"};
            }
            self.serve([](net::tcp_stream) {});
        },
        options);
    if (code != 0) throw std::runtime_error{"prefork has given up: see its log"};
    return "an orderly end";
}

}  // namespace coir::faults
