// A server of several worker processes and a parent that supervises them: the parent restarts workers that die, and can
// replace all of them without failing a request.
//
//     prefork_server          starts itself on a free port, kills a worker, and replaces all workers under load
//     prefork_server 8000     serves on 127.0.0.1:8000 until Ctrl-C; try it with: kill -HUP
//
//     gunicorn                                     coir
//     gunicorn -w 2 -b 127.0.0.1:8000 app          coir::prefork(2, main, {.listen = {{"127.0.0.1", 8000}}})
//     --timeout, --graceful-timeout                prefork_options::start_limit, grace
//     kill -TERM, -HUP                             the same
//     def app(environ, start_response)             main(worker&), in each process, and self.serve(handler)
//     (a worker that keeps failing at start)       restart_policy

#include <coir/coir.hpp>

#include "servers/prefork.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <span>
#include <string>

using namespace std::chrono_literals;

int serve(std::uint16_t port) {
    coir::prefork_options options;
    options.listen = {{"127.0.0.1", port}};
    options.grace = 10s;
    options.on_stats = [](std::span<const coir::worker_stats> workers, const coir::scheduler_stats& all) {
        static std::uint64_t before = 0;
        if (std::exchange(before, all.fibers_alive) == all.fibers_alive) return;
        std::clog << workers.size() << " workers, " << all.fibers_alive << " fibers" << std::endl;
    };
    const auto main = [](coir::worker& self) {
        // Read configuration and open resources here: each worker does so when it starts, also after a SIGHUP.
        self.serve(coir::limit{1000},
                   [&](coir::net::tcp_stream peer) { answer_requests(self, std::move(peer), "Hello, world\n"); });
    };
    return coir::prefork(2, main, options);
}

void demonstrate() {
    prefork_process server{"server", "0"};
    const auto at = server.wait_for_endpoint();
    const pid_t first = server.wait_for_worker();
    server.wait_for("is ready");

    std::printf("a worker is killed\n");
    ::kill(first, SIGKILL);
    server.wait_for("was killed");
    server.wait_for("is ready");
    std::printf("it is back: %s", get(at).c_str());

    std::printf("all workers are replaced, twice, under load\n");
    auto load = coir::spawn([&] { return put_under_load(at, 3s); });
    for (int i = 0; i < 2; ++i) {
        coir::this_fiber::sleep_for(500ms);
        server.send_signal(SIGHUP);
        server.wait_for("rolling restart complete");
    }
    const load_result result = load.get();
    std::printf("%ld requests answered, %ld failed\n", result.answered, result.failed);

    std::printf("the server is told to end\n");
    server.send_signal(SIGTERM);
    server.wait_for_end();
}

int main(int argc, char** argv) try {
    if (argc > 1) return serve(static_cast<std::uint16_t>(std::stoi(argv[1])));
    coir::run(demonstrate);
} catch (const std::exception& failure) {
    std::cerr << "prefork_server: " << failure.what() << '\n';
    return 1;
}
