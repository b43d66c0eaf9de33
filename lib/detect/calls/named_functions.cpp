#include "detect/calls/named_functions.hpp"

#include <algorithm>
#include <cstddef>
#include <dlfcn.h>
#include <link.h>
#include <mutex>

namespace coir::detail {

namespace {

struct named_function {
    const char* name;
    blocking_class category;
    const std::byte* begin = nullptr;
    const std::byte* end = nullptr;

    [[nodiscard]] bool holds(const void* return_address) const noexcept {
        const auto* const call = static_cast<const std::byte*>(return_address) - 1;
        return begin <= call && call < end;
    }
};

named_function functions[] = {
    {"getaddrinfo", blocking_class::dns},     {"getnameinfo", blocking_class::dns},
    {"gethostbyname", blocking_class::dns},   {"gethostbyname2", blocking_class::dns},
    {"gethostbyname_r", blocking_class::dns}, {"gethostbyname2_r", blocking_class::dns},
    {"gethostbyaddr", blocking_class::dns},   {"gethostbyaddr_r", blocking_class::dns},
    {"res_query", blocking_class::dns},       {"res_search", blocking_class::dns},
    {"res_nquery", blocking_class::dns},      {"res_nsearch", blocking_class::dns},
    {"posix_spawn", blocking_class::process}, {"posix_spawnp", blocking_class::process},
    {"system", blocking_class::process},      {"popen", blocking_class::process},
    {"pclose", blocking_class::process},      {"dlopen", blocking_class::disk},
    {"dlmopen", blocking_class::disk},
};

void find(named_function& wanted) noexcept {
    void* const found = ::dlsym(RTLD_DEFAULT, wanted.name);
    Dl_info where{};
    void* symbol = nullptr;
    if (found == nullptr || ::dladdr1(found, &where, &symbol, RTLD_DL_SYMENT) == 0 || symbol == nullptr) return;
    wanted.begin = static_cast<const std::byte*>(found);
    wanted.end = wanted.begin + static_cast<const ElfW(Sym)*>(symbol)->st_size;
}

}  // namespace

void find_named_functions() {
    static std::once_flag once;
    std::call_once(once, [] { std::ranges::for_each(functions, find); });
}

void name_by_function(blocking_event& seen) noexcept {
    const auto first = seen.stack.frames.begin();
    for (int i = seen.stack.depth - 1; i >= 0; --i) {
        const void* const address = first[i];
        const auto found =
            std::ranges::find_if(functions, [&](const named_function& each) { return each.holds(address); });
        if (found == std::end(functions)) continue;
        seen.call = found->name;
        seen.category = found->category;
        std::copy(first + i, first + seen.stack.depth, first);
        seen.stack.depth -= i;
        return;
    }
}

}  // namespace coir::detail
