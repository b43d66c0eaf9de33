#include "detect/calls/named_functions.hpp"

#include "detect/calls/known_calls.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <dlfcn.h>
#include <link.h>
#include <mutex>
#include <string>
#include <string_view>

namespace coir::detail {

namespace {

/// A function of the C library, found in memory.
struct named_function {
    const known_call* call = nullptr;
    const std::byte* begin = nullptr;
    const std::byte* end = nullptr;

    [[nodiscard]] bool holds(const void* return_address) const noexcept {
        const auto* const before = static_cast<const std::byte*>(return_address) - 1;
        return begin <= before && before < end;
    }
};

std::array<named_function, 32> functions;
std::size_t functions_count = 0;

/// Locks and descriptors are named later, by what the stack shows: their functions call nothing else.
bool is_wanted(const known_call& call) noexcept {
    using enum blocking_class;
    return is_telling_function(call) && (call.category == dns || call.category == process || call.category == disk);
}

void find(const known_call& call, std::string_view name) {
    void* const found = ::dlsym(RTLD_DEFAULT, std::string{name}.c_str());
    Dl_info where{};
    void* symbol = nullptr;
    if (found == nullptr || ::dladdr1(found, &where, &symbol, RTLD_DL_SYMENT) == 0 || symbol == nullptr) return;
    const auto* const begin = static_cast<const std::byte*>(found);
    functions.at(functions_count++) = {&call, begin, begin + static_cast<const ElfW(Sym)*>(symbol)->st_size};
}

void find_all() {
    functions_count = 0;  // the last attempt may have run out of memory
    for (const known_call& each : all_calls()) {
        if (is_wanted(each)) for_each_name(each, [&](std::string_view name) { find(each, name); });
    }
}

}  // namespace

void find_named_functions() {
    static std::once_flag once;
    std::call_once(once, find_all);
}

void name_by_function(blocking_event& seen) noexcept {
    const auto first = seen.stack.frames.begin();
    for (int i = seen.stack.depth - 1; i >= 0; --i) {
        const void* const address = first[i];
        const auto found =
            std::ranges::find_if(functions, [&](const named_function& each) { return each.holds(address); });
        if (found == functions.end()) continue;
        seen.call = found->call->name;
        seen.category = found->call->category;
        std::copy(first + i, first + seen.stack.depth, first);
        seen.stack.depth -= i;
        return;
    }
}

}  // namespace coir::detail
