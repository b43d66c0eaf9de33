#pragma once

#include <coir/io/byte_stream.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <sys/uio.h>

namespace coir::detail {

/// The first 16 buffers as an iovec array, for readv(2) and similar calls.
class vectors {
public:
    template <class Byte> explicit vectors(std::span<const std::span<Byte>> buffers) noexcept {
        count_ = std::min(buffers.size(), all_.size());
        for (std::size_t i = 0; i < count_; ++i) {
            // The cast is safe: the kernel only reads data to be sent.
            all_[i] = {const_cast<std::byte*>(buffers[i].data()), buffers[i].size()};
        }
    }

    [[nodiscard]] iovec* data() noexcept { return all_.data(); }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }

private:
    std::array<iovec, 16> all_{};
    std::size_t count_;
};

/// Copies the bytes of all buffers into `room`, and returns that part of it; empty if they do not fit.
inline std::span<const std::byte> joined(io::const_buffers buffers, std::span<std::byte> room) noexcept {
    std::size_t bytes = 0;
    for (const std::span<const std::byte> each : buffers) {
        if (each.size() > room.size() - bytes) return {};
        std::copy_n(each.data(), each.size(), room.data() + bytes);
        bytes += each.size();
    }
    return room.first(bytes);
}

/// The first buffer that is not empty; an empty span if there is none.
template <class Byte> std::span<Byte> first_of_buffers(std::span<const std::span<Byte>> buffers) noexcept {
    const auto found = std::ranges::find_if(buffers, [](const auto& each) { return !each.empty(); });
    return found == buffers.end() ? std::span<Byte>{} : *found;
}

}  // namespace coir::detail
