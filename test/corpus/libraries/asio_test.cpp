#include "corpus/judge.hpp"
#include "corpus/props.hpp"

#include <boost/asio.hpp>
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <utility>  // missing in Boost 1.74

namespace coir::test {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("corpus: waits in Boost.Asio are reported") {
    judge({
        blocked("a read of a socket", blocking_class::network, {"recv", "recvfrom", "recvmsg", "read", "readv"},
                [](stage& on) {
                    auto& server = on.keep<listener>();
                    auto& connection = on.keep<unique_fd>();
                    auto& context = on.keep<asio::io_context>();
                    auto& ours = on.keep<asio::ip::tcp::socket>(context);
                    ours.connect({asio::ip::address_v4::loopback(), static_cast<unsigned short>(server.port())});
                    on.later([&] { answer(server, "x", connection); });
                    return [&] {
                        std::array<char, 16> bytes;
                        ours.read_some(asio::buffer(bytes));
                    };
                }),
        blocked("a loop of its own", blocking_class::poll, {"epoll_wait", "epoll_pwait"},
                [](stage& on) {
                    auto& context = on.keep<asio::io_context>();
                    auto& timer = on.keep<asio::steady_timer>(context);
                    return [&] {
                        timer.expires_after(40ms);
                        timer.async_wait([](auto) {});
                        context.run();
                    };
                }),
        blocked("a timer", blocking_class::sleep, {"select", "pselect"},
                [](stage& on) {
                    auto& context = on.keep<asio::io_context>();
                    return [&] { asio::steady_timer{context, 40ms}.wait(); };
                }),
    });
}

}  // namespace coir::test
