#include "core/remote/running_schedulers.hpp"

#include <coir/detail/base/fork_generation.hpp>

#include "base/per_process.hpp"

#include <atomic>
#include <mutex>
#include <set>

namespace coir::detail::running_schedulers {

namespace {

struct serial_numbers {
    std::mutex mutex;
    std::set<std::uint64_t> alive;
};

constinit per_process<serial_numbers> numbers;
constinit std::atomic<std::uint64_t> last{0};

constexpr int bits_of_count = 40;  // of a serial number; the bits above them are the fork count of the process

}  // namespace

std::uint64_t enrol() {
    const std::uint64_t serial = std::uint64_t{fork_count()} << bits_of_count | ++last;
    serial_numbers& all = numbers.get();
    const std::lock_guard lock{all.mutex};
    all.alive.insert(serial);
    return serial;
}

void leave(std::uint64_t serial) noexcept {
    serial_numbers* const all = numbers.find();
    if (all == nullptr) return;
    const std::lock_guard lock{all->mutex};
    all->alive.erase(serial);
}

bool contain(std::uint64_t serial) noexcept {
    serial_numbers* const all = numbers.find();
    if (all == nullptr) return false;
    const std::lock_guard lock{all->mutex};
    return all->alive.contains(serial);
}

bool is_from_parent_process(std::uint64_t serial) noexcept { return serial >> bits_of_count != fork_count(); }

}  // namespace coir::detail::running_schedulers
