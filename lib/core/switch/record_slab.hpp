#pragma once

#include <coir/detail/base/fork_generation.hpp>

#include <array>
#include <cstddef>
#include <vector>

namespace coir::detail {

/// Memory for the task records of one scheduler, used on the scheduler's thread only. A freed record is kept for the
/// next record of its size class and stays mapped: another thread may still read the record of a fiber that has just
/// ended (see scheduler_status). A slab outlives its scheduler while it contains records, since a handle may hold a
/// result.
class record_slab {
public:
    static record_slab* create() { return new record_slab; }

    static constexpr std::size_t alignment = 64;

    /// Aligned to `alignment`. Throws `std::bad_alloc`.
    void* allocate(std::size_t bytes);
    void deallocate(void* memory, std::size_t bytes) noexcept;

    /// Called when the scheduler ends: the slab is deleted together with its last record.
    void abandon() noexcept;

    struct abandoner {
        void operator()(record_slab* slab) const noexcept { slab->abandon(); }
    };

    /// Whether the slab was made in a process that this one was forked from.
    [[nodiscard]] bool is_from_parent_process() const noexcept { return made_in_.is_from_parent_process(); }

    record_slab(const record_slab&) = delete;
    record_slab& operator=(const record_slab&) = delete;

private:
    struct free_record {
        free_record* next;
    };
    struct chunk {
        void* memory;
        std::size_t bytes;
    };

    static constexpr std::size_t step = alignment;
    static constexpr std::size_t small_max = 1024;
    static constexpr std::size_t small_classes = small_max / step;
    static constexpr std::size_t classes = small_classes + 48;  // the last 48 are powers of two
    static constexpr std::size_t chunk_bytes = std::size_t{1} << 20;

    record_slab() = default;
    ~record_slab();

    static std::size_t class_of(std::size_t bytes) noexcept;
    static std::size_t bytes_of(std::size_t size_class) noexcept;
    void* carve(std::size_t bytes);

    std::array<free_record*, classes> free_{};
    std::byte* unused_ = nullptr;
    std::size_t unused_bytes_ = 0;
    std::size_t live_ = 0;
    const fork_generation made_in_;
    bool abandoned_ = false;
    std::vector<chunk> chunks_;
};

}  // namespace coir::detail
