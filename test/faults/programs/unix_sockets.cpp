// Unix sockets with files, descriptors on their way, datagrams.
#include <coir/coir.hpp>
#include <coir/net/unix_datagram.hpp>

#include "base/unique_fd.hpp"
#include "faults/programs/declared.hpp"
#include "support/text.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace coir::faults {

namespace {

/// Takes the descriptor over. If the constructor throws, the descriptor stays with the caller.
template <class Owner> Owner owner_of(int fd) {
    detail::unique_fd kept{fd};
    Owner made{fd};
    static_cast<void>(kept.release());
    return made;
}

std::string text_of(io::reader from) {
    std::array<std::byte, 100> text;
    return test::as_text(std::span{text}.first(from.read_exactly(text)));
}

std::string with_a_stream(const std::string& path) {
    auto listener = net::unix_listener::bind(path);
    std::string seen;
    task_group group;
    group.spawn([&] {
        auto peer = listener.accept();
        auto [reader, writer] = io::pipe();
        peer.send_descriptor(reader.native_handle());
        writer.write_all("through a pipe");
        peer.shutdown();
    });
    group.spawn([&] {
        auto server = net::unix_stream::connect(path);
        seen = text_of(owner_of<io::reader>(server.receive_descriptor()));
        std::array<std::byte, 10> rest;
        if (server.read_some(rest) == 0) seen += ", end";
    });
    group.wait();
    return seen;
}

std::string with_datagrams(const std::string& path) {
    auto log = net::unix_datagram::bind(path);
    auto client = net::unix_datagram::connect(path);
    client.send("a datagram");
    std::array<std::byte, 100> buffer;
    const std::size_t n = log.receive_from(buffer).bytes.size();
    auto [here, there] = net::unix_datagram::pair();
    here.send_descriptor(client.native_handle());
    const auto passed = owner_of<io::writer>(there.receive_descriptor());
    return std::to_string(n) + " bytes";
}

}  // namespace

std::string unix_sockets(const std::string& folder) {
    return run([&] {
        std::string seen = with_a_stream(folder + "/stream");
        return seen + ", " + with_datagrams(folder + "/datagrams");
    });
}

}  // namespace coir::faults
