// Input: any text. It is refused, or parsed to an endpoint whose text parses to the same endpoint.
#include <coir/net/endpoint.hpp>

#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t count) {
    std::error_code ec;
    const auto parsed = coir::net::endpoint::parse({reinterpret_cast<const char*>(bytes), count}, ec);
    if (ec) return 0;
    if (coir::net::endpoint::parse(parsed.to_string()) != parsed) std::abort();
    if (coir::net::endpoint{parsed.data(), parsed.size()} != parsed) std::abort();
    return 0;
}
