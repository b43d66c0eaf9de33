#pragma once

#include "base/sys.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <string_view>

namespace coir::detail {

/// A text of limited length for a signal handler: needs no memory. What does not fit is left out.
class signal_safe_text {
public:
    signal_safe_text& operator<<(std::string_view text) noexcept {
        for (const char each : text) {
            if (bytes_ < text_.size()) text_[bytes_++] = each;
        }
        return *this;
    }
    signal_safe_text& operator<<(std::size_t number) noexcept { return append(number, 10); }
    signal_safe_text& append_hexadecimal(std::size_t number) noexcept {
        *this << "0x";
        return append(number, 16);
    }

    /// A text from elsewhere: what is not a printable ASCII character becomes a question mark.
    signal_safe_text& append_printable(std::string_view text) noexcept {
        for (const char each : text) {
            const bool is_printable = each >= ' ' && each <= '~';
            *this << std::string_view{is_printable ? &each : "?", 1};
        }
        return *this;
    }

    void write_to(int fd) const noexcept { sys::write(fd, text_.data(), bytes_); }

private:
    signal_safe_text& append(std::size_t number, int base) noexcept {
        std::array<char, 24> digits;
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
        return *this << std::string_view{digits.data(), static_cast<std::size_t>(end - digits.data())};
    }

    std::array<char, 512> text_;
    std::size_t bytes_ = 0;
};

}  // namespace coir::detail
