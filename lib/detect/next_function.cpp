#include "detect/next_function.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <dlfcn.h>
#include <link.h>

extern "C" {
extern const std::byte __start_coir_functions_behind[];
extern const std::byte __stop_coir_functions_behind[];
}

namespace coir::detail {

namespace {

[[gnu::constructor]] void find_all_functions_behind() {
    using any_signature = next_function<void()>;  // all have the same size and alignment
    auto* const first = const_cast<std::byte*>(__start_coir_functions_behind);
    for (auto* at = first; at != __stop_coir_functions_behind; at += sizeof(any_signature))
        reinterpret_cast<any_function_behind*>(at)->find();
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
                return 1;  // the first is the program itself
            },
            &has_interpreter);
        return !has_interpreter;
    }();
    return answer;
}

void* any_function_behind::look_up() const noexcept {
    if (is_static_program()) return nullptr;
#if defined(COIR_INTERCEPTED)
    std::array<char, 64> interceptor;
    std::snprintf(interceptor.data(), interceptor.size(), "__interceptor_%s", name_);
    if (void* found = ::dlsym(RTLD_DEFAULT, interceptor.data())) return found;
#endif
    return ::dlsym(RTLD_NEXT, name_);
}

}  // namespace coir::detail
