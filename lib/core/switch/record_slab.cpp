#include "core/switch/record_slab.hpp"

#include <bit>
#include <new>
#include <sys/mman.h>

namespace coir::detail {

void* record_slab::allocate(std::size_t bytes) {
    const std::size_t size_class = class_of(bytes);
    free_record* const reused = free_[size_class];
    if (reused != nullptr) free_[size_class] = reused->next;
    void* const memory = reused != nullptr ? reused : carve(bytes_of(size_class));
    ++live_;
    return memory;
}

void record_slab::deallocate(void* memory, std::size_t bytes) noexcept {
    free_record*& first = free_[class_of(bytes)];
    first = ::new (memory) free_record{first};
    if (--live_ == 0 && abandoned_) delete this;
}

void record_slab::abandon() noexcept {
    abandoned_ = true;
    if (live_ == 0) delete this;
}

std::size_t record_slab::class_of(std::size_t bytes) noexcept {
    if (bytes <= small_max) return bytes == 0 ? 0 : (bytes - 1) / step;
    return small_classes + static_cast<std::size_t>(std::bit_width((bytes - 1) / small_max)) - 1;
}

std::size_t record_slab::bytes_of(std::size_t size_class) noexcept {
    if (size_class < small_classes) return (size_class + 1) * step;
    return small_max << (size_class - small_classes + 1);
}

void* record_slab::carve(std::size_t bytes) {
    if (bytes > unused_bytes_) {
        const std::size_t mapped = bytes > chunk_bytes ? bytes : chunk_bytes;
        chunks_.reserve(chunks_.size() + 1);
        void* const memory =
            ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc{};
        chunks_.push_back({memory, mapped});
        unused_ = static_cast<std::byte*>(memory);
        unused_bytes_ = mapped;
    }
    void* const memory = unused_;
    unused_ += bytes;
    unused_bytes_ -= bytes;
    return memory;
}

record_slab::~record_slab() {
    for (const chunk& each : chunks_) ::munmap(each.memory, each.bytes);
}

}  // namespace coir::detail
