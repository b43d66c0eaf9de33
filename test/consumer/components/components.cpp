#include <coir/coir.hpp>
#include <coir/net/asio.hpp>
#include <coir/net/tls.hpp>

#include <boost/asio/write.hpp>

#include <cstdio>

int main() {
    return coir::run([] {
        const auto context = coir::net::tls_context::client({.insecure_skip_verification = true});
        auto [near, far] = coir::net::unix_stream::pair();
        coir::net::asio_stream stream{std::move(near)};
        boost::asio::write(stream, boost::asio::buffer("hello", 5));
        std::array<std::byte, 5> text;
        const bool works = context.native_handle() != nullptr && far.read_exactly(text) == 5;
        if (!works) std::puts("coir::tls or coir::asio does not work");
        return works ? 0 : 1;
    });
}
