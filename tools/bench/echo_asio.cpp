// The echo server with Boost.Asio's callbacks, on one thread.

// clang-format off
#include <utility>  // before Asio: Boost 1.74 uses std::exchange without it
// clang-format on

#include "echo_server.hpp"

#include <boost/asio.hpp>

#include <array>
#include <memory>

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

class connection : public std::enable_shared_from_this<connection> {
public:
    explicit connection(tcp::socket socket) : socket_(std::move(socket)) { socket_.set_option(tcp::no_delay(true)); }

    void read() {
        socket_.async_read_some(boost::asio::buffer(buffer_),
                                [self = shared_from_this()](error_code error, std::size_t n) {
                                    if (!error) self->write(n);
                                });
    }

private:
    void write(std::size_t bytes) {
        boost::asio::async_write(socket_, boost::asio::buffer(buffer_, bytes),
                                 [self = shared_from_this()](error_code error, std::size_t) {
                                     if (!error) self->read();
                                 });
    }

    tcp::socket socket_;
    std::array<char, bench::echo_buffer_bytes> buffer_;
};

void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](error_code error, tcp::socket socket) {
        if (!error) std::make_shared<connection>(std::move(socket))->read();
        accept(acceptor);
    });
}

}  // namespace

int main() {
    boost::asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE};  // one thread: no locks
    tcp::acceptor acceptor{context, {boost::asio::ip::address_v4::loopback(), 0}};
    bench::announce_port(acceptor.local_endpoint().port());
    accept(acceptor);
    context.run();
}
