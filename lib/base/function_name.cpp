#include "base/function_name.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cxxabi.h>
#include <memory>

namespace coir::detail {

std::string demangle(const char* name) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> plain{abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                            &std::free};
    return status == 0 && plain != nullptr ? plain.get() : name;
}

bool is_plumbing_function(std::string_view mangled) noexcept {
    constexpr std::array<std::string_view, 10> prefixes{"_ZZN4coir",      "_ZZNK4coir",  "_ZSt",      "_ZNSt",
                                                        "_ZNKSt",         "_ZN4coir",    "_ZNK4coir", "_ZN9__gnu_cxx",
                                                        "_ZNK9__gnu_cxx", "coir_context"};
    return std::ranges::any_of(prefixes, [&](std::string_view each) { return mangled.starts_with(each); });
}

}  // namespace coir::detail
