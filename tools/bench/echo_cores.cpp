// The echo server with coir on two threads: each has a scheduler and a listener, on one port.
//
//     bench_echo_cores [steered]
//
// With "steered", a connection goes to the scheduler on the core where it arrived, as with the receive queues of a
// network card. Without it, the kernel chooses one of the two by a hash.

#include <coir/net/tcp.hpp>
#include <coir/thread/concurrent_channel.hpp>
#include <coir/thread/run_on_cores.hpp>

#include "echo_server.hpp"
#include "loopback.hpp"

#include <array>
#include <cstddef>
#include <linux/filter.h>
#include <sched.h>
#include <span>

namespace {

void echo(coir::net::tcp_stream peer) {
    bench::send_at_once(peer.native_handle());
    std::array<std::byte, bench::echo_buffer_bytes> buffer;
    while (const auto n = peer.read_some(buffer)) peer.write_all(std::span{buffer}.first(n));
}

/// The second listener of the port gets the connections that arrive on this core, the first one all others.
void steer(const coir::net::tcp_listener& second) {
    const auto this_core = static_cast<std::uint32_t>(sched_getcpu());
    std::array<sock_filter, 4> which{{
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_CPU)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, this_core},
        {BPF_RET | BPF_K, 0, 0, 1},
        {BPF_RET | BPF_K, 0, 0, 0},
    }};
    const sock_fprog program{which.size(), which.data()};
    if (setsockopt(second.native_handle(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) != 0)
        bench::fail("SO_ATTACH_REUSEPORT_CBPF");
}

}  // namespace

int main(int argc, char**) {
    coir::concurrent_channel<coir::net::endpoint> taken{1};
    coir::run_on_cores(2, [&](unsigned core) {
        const auto at = core == 0 ? coir::net::endpoint{"127.0.0.1", 0} : taken.recv().value();
        auto listener = coir::net::tcp_listener::bind(at, {.reuse_port = true});
        if (core == 0) {
            taken.send(listener.local_endpoint());
        } else {
            if (argc > 1) steer(listener);
            bench::announce_port(at.port());  // both listen now
        }
        listener.serve(echo);
    });
}
