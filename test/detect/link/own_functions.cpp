// A program that defines functions with names of the C library, as other interposers do: they must remain in effect.
#include <coir/blocking.hpp>
#include <coir/run.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace {
int connects = 0;
}

extern "C" int connect(int, const sockaddr*, socklen_t) { return ++connects; }

int main() {
    bool usleep_seen = false;
    bool connect_seen = false;
    coir::run_options options;
    options.blocking.on_report = [&](const coir::blocking_report& report) {
        usleep_seen |= report.call == "nanosleep";
        connect_seen |= report.call == "connect";
    };
    coir::run(options, [] {
        if (::connect(-1, nullptr, 0) != 1) std::puts("FAILED: connect is not the program's own");
        ::usleep(1000);
    });
    const bool good = connects == 1 && usleep_seen && !connect_seen;
    std::puts(good ? "ok: the program's own connect, and coir's hook on usleep" : "FAILED");
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
