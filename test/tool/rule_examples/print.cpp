// Prints the examples of all rules as one source file; the build compiles it.
#include "render/rules.hpp"

#include <iostream>

namespace {

constexpr std::string_view prelude = R"cpp(#include <coir/coir.hpp>

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <numeric>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
)cpp";

void print(std::string_view name, const detector::rule& which, std::string_view code) {
    std::cout << "\nnamespace " << name << '_' << which.id << " {\n" << code << "}\n";
}

}  // namespace

int main() {
    std::cout << prelude;
    for (const detector::rule& each : detector::all_rules()) {
        print("before", each, each.before);
        print("after", each, each.after);
    }
    return std::cout.flush() ? 0 : 1;
}
