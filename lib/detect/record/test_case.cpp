#include "detect/record/test_case.hpp"

#include <coir/blocking.hpp>

#include <atomic>
#include <mutex>
#include <set>
#include <string>

namespace coir {

namespace {

constinit std::mutex access;
constinit std::atomic<const std::string*> current{nullptr};

}  // namespace

void set_blocking_test_case(std::string_view name) {
    // Never destroyed: a signal handler may read a name.
    static auto& names = *new std::set<std::string, std::less<>>;
    const std::lock_guard lock{access};
    auto known = names.find(name);
    if (known == names.end()) known = names.emplace(name).first;
    current.store(&*known, std::memory_order_release);
}

std::string_view detail::current_test_case() noexcept {
    const std::string* const name = current.load(std::memory_order_acquire);
    return name == nullptr ? std::string_view{} : *name;
}

}  // namespace coir
