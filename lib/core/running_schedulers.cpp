#include "core/running_schedulers.hpp"

#include <mutex>
#include <set>

namespace coir::detail::running_schedulers {

namespace {

struct serial_numbers {
    std::mutex mutex;
    std::set<std::uint64_t> alive;
    std::uint64_t last = 0;
};

serial_numbers& numbers() {
    static serial_numbers all;
    return all;
}

}  // namespace

std::uint64_t enrol() {
    serial_numbers& all = numbers();
    const std::lock_guard lock{all.mutex};
    all.alive.insert(++all.last);
    return all.last;
}

void leave(std::uint64_t serial) noexcept {
    serial_numbers& all = numbers();
    const std::lock_guard lock{all.mutex};
    all.alive.erase(serial);
}

bool contain(std::uint64_t serial) noexcept {
    serial_numbers& all = numbers();
    const std::lock_guard lock{all.mutex};
    return all.alive.contains(serial);
}

}  // namespace coir::detail::running_schedulers
