// An nginx in front of three prefork servers: one of them is shut down under load, and no request is lost.
//
// The server drains: it accepts no new connection, answers the requests in progress with "Connection: close", and ends.
// nginx then skips it. If a connection that nginx had kept open closes at that moment, nginx repeats the request on the
// next server.
//
//     nginx in front of gunicorn                   here
//     upstream { server ...; keepalive 16; }       the same
//     kill -TERM of a gunicorn                     the same, of a prefork server: worker::draining
//     --graceful-timeout                           prefork_options::grace

#include <coir/coir.hpp>

#include "servers/prefork.hpp"
#include "servers/servers.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;

int serve(const std::string& name) {
    const auto main = [&](coir::worker& self) {
        self.serve([&](coir::net::tcp_stream peer) { answer_requests(self, std::move(peer), name); });
    };
    return coir::prefork(2, main, {.listen = {{"127.0.0.1", 0}}, .grace = 20s});
}

std::string configuration(const std::filesystem::path& folder, std::uint16_t port,
                          const std::vector<coir::net::endpoint>& servers) {
    std::string text = "daemon off; worker_processes 1; pid " + folder.native() + "/pid;\n";
    text += "events { worker_connections 256; }\nhttp {\naccess_log off;\n";
    for (const std::string each : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
        text += each + "_temp_path " + folder.native() + "/" + each + ";\n";
    text += "upstream servers {\n";
    for (const auto& each : servers) text += "server " + each.to_string() + ";\n";
    text += "keepalive 16;\n}\nserver {\nlisten 127.0.0.1:" + std::to_string(port) + ";\nlocation / {\n";
    text += "proxy_pass http://servers;\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\n";
    text += "proxy_next_upstream error timeout http_502 http_503;\n}\n}\n}\n";
    return text;
}

void show_who_answers(const coir::net::endpoint& at) {
    std::set<std::string> seen;
    for (int i = 0; i < 12; ++i) seen.insert(get(at));
    std::printf("answers come from:");
    for (const auto& each : seen) std::printf(" %s", each.c_str());
    std::printf("\n");
}

void demonstrate(const std::filesystem::path& folder) {
    std::vector<std::unique_ptr<prefork_process>> servers;
    std::vector<coir::net::endpoint> endpoints;
    for (const char* name : {"one", "two", "three"}) {
        auto& made = *servers.emplace_back(std::make_unique<prefork_process>(name, name));
        endpoints.push_back(made.wait_for_endpoint());
        for (int i = 0; i < 2; ++i) made.wait_for("is ready");
    }
    const auto at = coir::net::tcp_listener::bind({"127.0.0.1", 0}).local_endpoint();  // most likely still free
    coir::io::replace_file(folder / "nginx.conf", configuration(folder, at.port(), endpoints));
    auto nginx = start_server({"/usr/sbin/nginx", "-c", folder / "nginx.conf", "-e", "stderr"}, "nginx-light");
    wait_until_ready(nginx, [&] { get(at); });
    show_who_answers(at);

    auto load = coir::spawn([&] { return put_under_load(at, 4s); });
    coir::this_fiber::sleep_for(1s);
    std::printf("server two is taken away, under load\n");
    servers[1]->send_signal(SIGTERM);
    servers[1]->wait_for_end();
    const load_result result = load.get();
    std::printf("%ld requests answered, %ld failed\n", result.answered, result.failed);
    show_who_answers(at);

    for (const auto i : {0, 2}) servers[static_cast<std::size_t>(i)]->send_signal(SIGTERM);
    for (const auto i : {0, 2}) servers[static_cast<std::size_t>(i)]->wait_for_end();
    nginx.terminate_then_kill(10s);
}

int main(int argc, char** argv) try {
    if (argc > 1) return serve(argv[1]);
    const server_folder folder{"balancer"};
    coir::run([&] { demonstrate(folder.path); });
} catch (const std::exception& failure) {
    std::cerr << "load_balancer: " << failure.what() << '\n';
    return 1;
}
