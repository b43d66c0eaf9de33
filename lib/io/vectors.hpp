#pragma once

#include <coir/io/byte_stream.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <sys/uio.h>

namespace coir::detail {

/// Buffers in the form of readv(2) and its like: the first 16 of them.
class vectors {
public:
    template <class Byte> explicit vectors(std::span<const std::span<Byte>> buffers) noexcept {
        count_ = std::min(buffers.size(), all_.size());
        for (std::size_t i = 0; i < count_; ++i) {
            // The kernel only reads what is sent.
            all_[i] = {const_cast<std::byte*>(buffers[i].data()), buffers[i].size()};
        }
    }

    [[nodiscard]] iovec* data() noexcept { return all_.data(); }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }

private:
    std::array<iovec, 16> all_{};
    std::size_t count_;
};

/// The bytes of all buffers, in `room` if they fit it; none where they do not.
inline std::span<const std::byte> joined(io::const_buffers buffers, std::span<std::byte> room) noexcept {
    std::size_t bytes = 0;
    for (const std::span<const std::byte> each : buffers) {
        if (each.size() > room.size() - bytes) return {};
        std::copy_n(each.data(), each.size(), room.data() + bytes);
        bytes += each.size();
    }
    return room.first(bytes);
}

/// The first of them with room, or with something in it.
template <class Byte> std::span<Byte> first_of_buffers(std::span<const std::span<Byte>> buffers) noexcept {
    const auto found = std::ranges::find_if(buffers, [](const auto& each) { return !each.empty(); });
    return found == buffers.end() ? std::span<Byte>{} : *found;
}

}  // namespace coir::detail
