#include "detect/engine/hooks/next_function.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <dlfcn.h>
#include <link.h>

extern "C" {
extern const std::byte __start_coir_next_functions[];
extern const std::byte __stop_coir_next_functions[];
}

namespace coir::detail {

namespace {

[[gnu::constructor]] void find_all_next_functions() {
    using any_signature = next_function<void()>;  // all have the same size and alignment
    auto* const first = const_cast<std::byte*>(__start_coir_next_functions);
    for (auto* at = first; at != __stop_coir_next_functions; at += sizeof(any_signature))
        reinterpret_cast<any_next_function*>(at)->find();
}

}  // namespace

namespace {

bool is_in_same_module(const void* function, const void* other) noexcept {
    Dl_info its{};
    Dl_info others{};
    return ::dladdr(function, &its) != 0 && ::dladdr(other, &others) != 0 && its.dli_fbase == others.dli_fbase;
}

}  // namespace

bool is_static_program() noexcept {
    static const bool answer = [] {
        bool has_interpreter = false;
        ::dl_iterate_phdr(
            [](dl_phdr_info* program, std::size_t, void* found) {
                for (unsigned i = 0; i < program->dlpi_phnum; ++i) {
                    if (program->dlpi_phdr[i].p_type == PT_INTERP) *static_cast<bool*>(found) = true;
                }
                return 1;  // the first module is the program itself
            },
            &has_interpreter);
        return !has_interpreter;
    }();
    return answer;
}

void* any_next_function::look_up() const noexcept {
    if (is_static_program()) return nullptr;
#if defined(COIR_INTERCEPTED)
    std::array<char, 64> interceptor;
    std::snprintf(interceptor.data(), interceptor.size(), "__interceptor_%s", name_);
    if (void* found = ::dlsym(RTLD_DEFAULT, interceptor.data())) return found;
#endif
    void* const found = ::dlsym(RTLD_NEXT, name_);
    if (version_ == nullptr || found == nullptr) return found;
    // Before 2.36, glibc gives the oldest version to RTLD_NEXT (BZ 14932). dlvsym(3) alone would pass over another
    // interposer, whose functions have no versions.
    void* const default_one = ::dlvsym(RTLD_NEXT, name_, version_);
    return default_one != nullptr && is_in_same_module(default_one, found) ? default_one : found;
}

}  // namespace coir::detail
