#include "prefork/shared_stats.hpp"

#include <bit>
#include <cerrno>
#include <new>
#include <sys/mman.h>
#include <system_error>

namespace coir::detail {

shared_stats::shared_stats() {
    void* const memory = ::mmap(nullptr, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::system_error{errno, std::system_category(), "prefork: cannot map memory for a worker's statistics"};
    page_ = ::new (memory) page;
}

shared_stats::~shared_stats() { ::munmap(page_, sizeof(page)); }

void shared_stats::write(const scheduler_stats& now) noexcept {
    const auto figures = std::bit_cast<words>(now);
    const word version = page_->version.load(std::memory_order_relaxed);
    page_->version.store(version + 1, std::memory_order_relaxed);
    // Release: a reader that loads one of these figures also loads the odd version, or a later one, afterwards.
    for (std::size_t i = 0; i < figures.size(); ++i) page_->figures[i].store(figures[i], std::memory_order_release);
    page_->version.store(version + 2, std::memory_order_release);
}

std::optional<scheduler_stats> shared_stats::read() const noexcept {
    constexpr int attempts = 1000;
    for (int i = 0; i < attempts; ++i) {
        const word before = page_->version.load(std::memory_order_acquire);
        if (before == 0) return std::nullopt;
        if (before % 2 != 0) continue;
        words read;
        for (std::size_t k = 0; k < read.size(); ++k) read[k] = page_->figures[k].load(std::memory_order_acquire);
        if (page_->version.load(std::memory_order_relaxed) == before) return std::bit_cast<scheduler_stats>(read);
    }
    return std::nullopt;
}

}  // namespace coir::detail
