#include "base/symbols.hpp"
#include "support/captured_log.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"
#include "support/nameless/nameless.hpp"
#include "support/seccomp.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <linux/seccomp.h>
#include <new>
#include <string>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

using coir::detail::describe_call_site;
using coir::detail::has_source_lines;
using coir::detail::look_up_symbols;
using coir::detail::symbol;
using coir::detail::symbolise;

namespace {

[[gnu::noinline]] const void* where() { return __builtin_return_address(0); }

constexpr int line_of_lambda = __LINE__ + 3;
const void* call_in_lambda() {
    const void* here = nullptr;
    const auto lambda = [&] { here = where(); };
    lambda();
    return here;
}

/// The size of this process's address space, in bytes.
std::size_t address_space() {
    std::size_t pages = 0;
    std::ifstream{"/proc/self/statm"} >> pages;
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::string after(const std::string& text, char mark) { return text.substr(text.rfind(mark) + 1); }

}  // namespace

TEST_CASE("symbols: a return address gives the module, the offset in it, and the function") {
    const std::vector<symbol> found = symbolise(where());
    REQUIRE_FALSE(found.empty());
    CHECK(found.back().module.starts_with("coir_test_base"));
    CHECK(found.back().offset > 0);
    CHECK_FALSE(found.back().function.empty());
}

TEST_CASE("symbols: with debug information, a return address gives the line of the call") {
    const void* const here = where();
    const int line = __LINE__;
    const std::string location = describe_call_site(here);
    if (has_source_lines()) {
        CHECK(after(location, '/') == "symbols_test.cpp:" + std::to_string(line - 1));
    } else {
        CHECK(location.find("coir_test_base+0x") != std::string::npos);
    }
}

TEST_CASE("symbols: a call made by a standard library template is attributed to the calling user code") {
    const void* here = nullptr;
    const std::function<void()> indirect = [&] { here = where(); };
    indirect();
    const std::string location = describe_call_site(here);
    if (has_source_lines()) CHECK(after(location, '/').starts_with("symbols_test.cpp:"));
}

TEST_CASE("symbols: a lambda is named after the function that holds it, and by its line") {
    if (!has_source_lines()) return;
    const std::string name = symbolise(call_in_lambda()).front().function;
    INFO(name);
    CHECK(name.find("call_in_lambda") != name.npos);
    CHECK(name.ends_with("::{lambda at symbols_test.cpp:" + std::to_string(line_of_lambda) + '}'));
}

TEST_CASE("symbols: a function of a shared library has its name") {
    const std::vector<symbol> found = symbolise(reinterpret_cast<const char*>(&std::qsort) + 1);
    CHECK(std::ranges::any_of(found,
                              [](const symbol& each) { return each.function.find("qsort") != each.function.npos; }));
}

#if defined(__x86_64__)

TEST_CASE("symbols: an internal function of a library has the name of the exported one that was called for it") {
    using namespace coir::test;
    const auto name_of = [](const captured_frames& found) {
        CHECK(symbolise(found.internal).back().function.empty());
        return symbolise(found.internal, found.caller).back().function;
    };
    CHECK(name_of(call_directly()) == "capture_frames");
    CHECK(name_of(call_through_table()) == "capture_frames");
    CHECK(name_of(call_wrapper()) == "capture_frames");
    CHECK(name_of(call_hook()) == "capture_hooked_frames");
}

TEST_CASE("symbols: an internal function of a library has no name if it is not certain which one was called") {
    using namespace coir::test;
    const auto name_of = [](const captured_frames& found) {
        return symbolise(found.internal, found.caller).back().function;
    };
    CHECK(name_of(call_by_pointer()).empty());
    CHECK(name_of(call_one_of_two()).empty());
    CHECK(name_of(call_one_or_pointer()).empty());
    const captured_frames found = call_directly();
    CHECK(name_of({found.internal, found.internal}).empty());
    CHECK(name_of({found.internal, where()}).empty());
    CHECK(name_of({found.internal, reinterpret_cast<const void*>(1)}).empty());
}

#endif

TEST_CASE("symbols: an address outside of all modules is still described") {
    CHECK(describe_call_site(nullptr) == "unknown");
    CHECK(symbolise(nullptr).size() == 1);
}

TEST_CASE("symbols: can be used by several threads") {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            for (int n = 0; n < 50; ++n) CHECK_FALSE(describe_call_site(where()).empty());
        });
    }
}

TEST_CASE("symbols: several addresses are looked up at once") {
    const void* const here = where();
    const std::array<const void*, 3> addresses{here, call_in_lambda(), nullptr};
    look_up_symbols(addresses);
    CHECK(describe_call_site(here).find(has_source_lines() ? "symbols_test.cpp" : "coir_test_base") !=
          std::string::npos);
    CHECK(describe_call_site(nullptr) == "unknown");
}

TEST_CASE("symbols: without a child process there are functions, and the log says why there are no lines" *
          doctest::skip(coir::test::sanitized)) {
    if (!has_source_lines()) return;
    const coir::test::ending end = coir::test::in_child([] {
        coir::test::filter_system_call(SYS_clone3, -1, SECCOMP_RET_ERRNO | ENOSYS);
        coir::test::filter_system_call(SYS_clone, -1, SECCOMP_RET_ERRNO | EPERM);
        const coir::test::captured_log log;
        for (int i = 0; i < 2; ++i) {
            const std::string text = describe_call_site(where()) + describe_call_site(call_in_lambda());
            if (text.find("(coir_test_base+0x") == text.npos || text.find(".cpp:") != text.npos) ::_exit(4);
        }
        if (log.count("no file and line") != 1 || log.count("Operation not permitted") != 1) ::_exit(5);
        ::_exit(0);
    });
    INFO(end.output);
    CHECK(end.exit_code == 0);
}

TEST_CASE("symbols: a program with little memory is not ended" * doctest::skip(coir::test::sanitized)) {
    const coir::test::ending end = coir::test::in_child([] {
        const auto* here = static_cast<const char*>(where());
        const std::size_t used = address_space();
        for (std::size_t more = 0; more < std::size_t{64} << 20U; more += std::size_t{1} << 20U) {
            rlimit little{used + more, RLIM_INFINITY};
            if (::setrlimit(RLIMIT_AS, &little) != 0) ::_exit(5);
            try {
                if (describe_call_site(here++).empty()) ::_exit(4);
            } catch (const std::bad_alloc&) {
                // This process itself had no memory.
            }
        }
        ::_exit(0);
    });
    INFO(end.output);
    CHECK(end.exit_code == 0);
}
