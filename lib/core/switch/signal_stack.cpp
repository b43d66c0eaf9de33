#include "core/switch/signal_stack.hpp"

#include "core/switch/stack_layout.hpp"

#include <sys/mman.h>

namespace coir::detail {

signal_stack::signal_stack() noexcept {
    stack_t present{};
    if (::sigaltstack(nullptr, &present) != 0 || (present.ss_flags & SS_DISABLE) == 0) return;
    void* const memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return;
    const std::size_t guard = page_size();
    stack_t own{};
    own.ss_sp = static_cast<std::byte*>(memory) + guard;
    own.ss_size = bytes - guard;
    if (::mprotect(memory, guard, PROT_NONE) != 0 || ::sigaltstack(&own, nullptr) != 0) {
        ::munmap(memory, bytes);
        return;
    }
    memory_ = memory;
}

signal_stack::~signal_stack() {
    if (memory_ == nullptr) return;
    stack_t present{};
    const bool is_ours =
        ::sigaltstack(nullptr, &present) == 0 && present.ss_sp == static_cast<std::byte*>(memory_) + page_size();
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    if (is_ours && ::sigaltstack(&none, nullptr) != 0) return;  // a handler still runs on it
    ::munmap(memory_, bytes);
}

}  // namespace coir::detail
