#include "base/function_name.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cxxabi.h>
#include <memory>

namespace coir::detail {

namespace {

void replace_all(std::string& in, std::string_view what, std::string_view by) {
    for (std::size_t at = 0; (at = in.find(what, at)) != in.npos; at += by.size()) in.replace(at, what.size(), by);
}

}  // namespace

std::string demangle(const char* name) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> plain{abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                            &std::free};
    return status == 0 && plain != nullptr ? plain.get() : name;
}

std::string readable_name(std::string mangled) {
    mangled.resize(std::min(mangled.find('@'), mangled.size()));
    std::string name = demangle(mangled.c_str());
    name.resize(std::min(name.find(" [clone "), name.size()));
    replace_all(name, "std::__cxx11::", "std::");
    replace_all(name, "std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string");
    return name;
}

std::string without_lambda_lines(std::string name) {
    constexpr std::string_view lambda = "{lambda at ";
    for (std::size_t at = 0; (at = name.find(lambda, at)) != name.npos;) {
        const std::size_t location = at + lambda.size() - std::string_view{" at "}.size();
        name.erase(location, std::min(name.find('}', location), name.size()) - location);
    }
    return name;
}

bool is_plumbing_function(std::string_view mangled) noexcept {
    constexpr std::array<std::string_view, 10> prefixes{"_ZZN4coir",      "_ZZNK4coir",  "_ZSt",      "_ZNSt",
                                                        "_ZNKSt",         "_ZN4coir",    "_ZNK4coir", "_ZN9__gnu_cxx",
                                                        "_ZNK9__gnu_cxx", "coir_context"};
    return std::ranges::any_of(prefixes, [&](std::string_view each) { return mangled.starts_with(each); });
}

}  // namespace coir::detail
