#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

namespace coir::detail {

/// A first-in-first-out queue. Its memory grows by doubling with the number of values and never shrinks, so a large
/// limit that is not reached costs nothing.
template <class T> class ring {
public:
    ring() = default;
    ~ring() {
        while (size_ > 0) pop();
        if (slots_ != nullptr) std::allocator<T>{}.deallocate(slots_, room_);
    }
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] T& front() noexcept { return *at(0); }

    /// Throws `std::bad_alloc`; `value` is then not moved from.
    void push(T&& value) {
        if (size_ == room_) [[unlikely]]
            grow();
        std::construct_at(at(size_), std::move(value));
        ++size_;
    }

    void pop() noexcept {
        std::destroy_at(at(0));
        ++first_;
        --size_;
    }

private:
    static constexpr std::size_t room_min = 8;

    [[nodiscard]] T* at(std::size_t index) const noexcept { return slots_ + ((first_ + index) & (room_ - 1)); }

    void grow() {
        const std::size_t room = std::max(room_min, room_ * 2);
        T* const slots = std::allocator<T>{}.allocate(room);
        for (std::size_t i = 0; i < size_; ++i) {
            std::construct_at(slots + i, std::move(*at(i)));
            std::destroy_at(at(i));
        }
        if (slots_ != nullptr) std::allocator<T>{}.deallocate(slots_, room_);
        slots_ = slots;
        room_ = room;
        first_ = 0;
    }

    T* slots_ = nullptr;
    std::size_t room_ = 0;   // capacity of `slots_`: a power of two, or 0 before the first push
    std::size_t first_ = 0;  // number of pops; modulo the capacity, the slot of the first value
    std::size_t size_ = 0;
};

}  // namespace coir::detail
