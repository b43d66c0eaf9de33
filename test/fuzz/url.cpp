// Input: any text. It is refused, or parsed to a URL whose text parses to the same URL. Any text is also tried as the
// target of a redirect.
#include "http/url.hpp"

#include <cstdlib>

namespace {

bool is_whole(const url& one) { return !one.host.empty() && one.port != 0 && one.target.starts_with('/'); }

bool is_same(const url& one, const url& other) {
    return one.is_secure == other.is_secure && one.host == other.host && one.port == other.port &&
           one.target == other.target;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t count) {
    const std::string_view text{reinterpret_cast<const char*>(bytes), count};
    try {
        const url parsed = url::parse(text);
        if (!is_whole(parsed) || !is_same(url::parse(parsed.to_string()), parsed)) std::abort();
    } catch (const std::invalid_argument&) {
    }
    try {
        const url led_to = url::parse("http://host:80/a/b/c?d").follow(text);
        if (!is_whole(led_to)) std::abort();
    } catch (const std::invalid_argument&) {
    }
    return 0;
}
