#include "read/offline_symbols.hpp"
#include "support/nameless/nameless.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <dlfcn.h>
#include <link.h>

using detector::code_address;
using detector::offline_symbols;

namespace {

code_address address_of(const void* return_address) {
    Dl_info about{};
    void* map = nullptr;
    REQUIRE(::dladdr1(return_address, &about, &map, RTLD_DL_LINKMAP) != 0);
    const auto* const module = static_cast<const link_map*>(map);
    return {module->l_name, reinterpret_cast<std::uintptr_t>(return_address) - module->l_addr};
}

}  // namespace

#if defined(__x86_64__)
TEST_CASE(
    "offline_symbols: an internal function of a library has the name of the exported one that was called for it") {
    offline_symbols symbols{{}};
    const auto name_of = [&](const coir::test::captured_frames& found) {
        return symbols.functions_at(address_of(found.internal), address_of(found.caller)).back().function;
    };
    CHECK(name_of(coir::test::call_directly()) == "capture_frames");
    CHECK(name_of(coir::test::call_wrapper()) == "capture_frames");
    CHECK(name_of(coir::test::call_by_pointer()).empty());
    CHECK(symbols.functions_at(address_of(coir::test::call_directly().internal)).back().function.empty());
}
#endif
