#include "net/hosts_file.hpp"

#include "base/read_file.hpp"

#include <algorithm>
#include <strings.h>
#include <system_error>

namespace coir::detail {

namespace {

constexpr std::string_view blanks = " \t\r";

/// Removes the first word of `rest` and returns it; empty if there is none.
std::string_view take_word(std::string_view& rest) noexcept {
    rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
    const std::string_view word = rest.substr(0, rest.find_first_of(blanks));
    rest.remove_prefix(word.size());
    return word;
}

bool is_equal(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

bool is_in_hosts_file(std::string_view name) try {
    return lists_host(read_file("/etc/hosts", "resolve"), name);
} catch (const std::system_error&) {
    return false;
}

bool lists_host(std::string_view content, std::string_view name) noexcept {
    while (!content.empty()) {
        std::string_view line = content.substr(0, content.find('\n'));
        content.remove_prefix(std::min(line.size() + 1, content.size()));
        line = line.substr(0, line.find('#'));
        take_word(line);  // the address
        for (std::string_view each = take_word(line); !each.empty(); each = take_word(line)) {
            if (is_equal(each, name)) return true;
        }
    }
    return false;
}

}  // namespace coir::detail
