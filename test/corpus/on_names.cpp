#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <array>
#include <chrono>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <sys/socket.h>
#include <thread>

namespace coir::test {

namespace {

using namespace std::chrono_literals;

constexpr auto dns = blocking_class::dns;

/// A slow name server that knows no names. During its lifetime the calling thread asks only this server.
class slow_name_server {
public:
    slow_name_server() {
        ::res_init();
        _res.nscount = 1;
        _res.nsaddr_list[0] = socket_.where;
        _res.retry = 1;
        _res.options &= ~static_cast<unsigned long>(RES_DNSRCH | RES_DEFNAMES);
    }
    ~slow_name_server() {
        ::res_init();
        ::shutdown(socket_.fd.get(), SHUT_RD);  // ends the thread's recvfrom, although it returns ENOTCONN
        thread_.join();
    }

private:
    void answer() const {
        for (;;) {
            std::array<unsigned char, 512> packet{};
            sockaddr_in from{};
            socklen_t length = sizeof from;
            const ssize_t size = ::recvfrom(socket_.fd.get(), packet.data(), packet.size(), 0,
                                            reinterpret_cast<sockaddr*>(&from), &length);
            if (size < NS_HFIXEDSZ) return;
            std::this_thread::sleep_for(40ms);
            packet[2] |= 0x80;  // marks it as an answer
            packet[3] = 0x80 | ns_r_nxdomain;
            ::sendto(socket_.fd.get(), packet.data(), static_cast<std::size_t>(size), 0,
                     reinterpret_cast<sockaddr*>(&from), length);
        }
    }

    listener socket_{0, SOCK_DGRAM};
    std::thread thread_{[this] { answer(); }};
};

void look_up(const char* host, int flags) {
    addrinfo wanted{};
    wanted.ai_flags = flags;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host, "80", &wanted, &found) == 0) ::freeaddrinfo(found);
}

}  // namespace

table on_names() {
    return {
        // An entry in a file is found at once, but the lookup could have blocked.
        blocked_or_latent("getaddrinfo of localhost", dns, {"getaddrinfo"}, [] { look_up("localhost", 0); }),
        anything("gethostbyname of localhost", dns, [] { ::gethostbyname("localhost"); }),
        anything("getnameinfo of localhost", dns,
                 [] {
                     const sockaddr_in local{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
                     std::array<char, 256> name{};
                     ::getnameinfo(reinterpret_cast<const sockaddr*>(&local), sizeof local, name.data(), name.size(),
                                   nullptr, 0, 0);
                 }),
        blocked("getaddrinfo", dns, {"getaddrinfo"},
                [](stage& on) {
                    on.keep<slow_name_server>();
                    return [] { look_up("nobody.invalid", 0); };
                }),
        // Without a hook, each internal call of such a function counts, and on a busy machine others sleep too.
        blocked_often("gethostbyname", dns, {"gethostbyname"},
                      [](stage& on) {
                          on.keep<slow_name_server>();
                          return [] { ::gethostbyname("nobody.invalid"); };
                      }),
        blocked_often("gethostbyaddr", dns, {"gethostbyaddr"},
                      [](stage& on) {
                          on.keep<slow_name_server>();
                          return [] {
                              const in_addr who{htonl(0xC0000201)};  // of a network reserved for documentation
                              ::gethostbyaddr(&who, sizeof who, AF_INET);
                          };
                      }),
        blocked_often("getnameinfo", dns, {"getnameinfo"},
                      [](stage& on) {
                          on.keep<slow_name_server>();
                          return [] {
                              const sockaddr_in who{AF_INET, 0, {htonl(0xC0000201)}, {}};
                              std::array<char, 256> name{};
                              ::getnameinfo(reinterpret_cast<const sockaddr*>(&who), sizeof who, name.data(),
                                            name.size(), nullptr, 0, NI_NAMEREQD);
                          };
                      }),
        blocked_often("res_query", dns, {"res_query"},
                      [](stage& on) {
                          on.keep<slow_name_server>();
                          return [] {
                              std::array<unsigned char, 512> answer{};
                              ::res_query("nobody.invalid", ns_c_in, ns_t_a, answer.data(), answer.size());
                          };
                      }),
    };
}

}  // namespace coir::test
