#include "base/sys.hpp"
#include "core/switch/stack_guards.hpp"
#include "core/switch/stack_layout.hpp"
#include "support/death.hpp"
#include "support/limits.hpp"
#include "support/seccomp.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdio>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

using coir::detail::guard_kind;
using coir::detail::page_size;
using coir::detail::stack_guards;
using coir::test::require;

namespace {

/// Checks a guard in the lower one of two pages.
void check_guard(stack_guards& guards) {
    void* const memory = ::mmap(nullptr, 2 * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    auto* const bottom = static_cast<std::byte*>(memory);
    require(coir::detail::sys::can_be_written(bottom), "there is no memory");
    require(guards.install(bottom, page_size()), "refused");
    require(!coir::detail::sys::can_be_written(bottom), "the first word of the guard can be written");
    require(!coir::detail::sys::can_be_written(bottom + page_size() - 8), "the last word of the guard can be written");
    require(coir::detail::sys::can_be_written(bottom + page_size()), "the room cannot be written");
    require(::munmap(memory, 2 * page_size()) == 0, "munmap");
}

/// Makes guards in a child process in which a filter returns `answer` for every madvise.
coir::test::ending with_madvise_answered(unsigned answer) {
    return coir::test::in_child([=] {
        coir::test::filter_system_call(SYS_madvise, -1, SECCOMP_RET_ERRNO | answer);
        stack_guards guards;
        check_guard(guards);
        check_guard(guards);
        std::puts(guards.kind() == guard_kind::mprotect ? "made by mprotect" : "made by madvise");
    });
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
    return found;
}

}  // namespace

TEST_CASE("stack_guards: a guard can be neither read nor written, but the memory above it can") {
    stack_guards guards;
    check_guard(guards);
    check_guard(guards);
}

TEST_CASE("stack_guards: where madvise is refused, guards are made with mprotect, and the log says so once") {
    for (const unsigned error : {EINVAL, EPERM, ENOSYS}) {
        CAPTURE(error);
        const auto child = with_madvise_answered(error);
        INFO(child.output);
        CHECK_FALSE(child.died());
        CHECK(child.says("made by mprotect"));
        CHECK(count(child.output, "stacks are guarded by mprotect: MADV_GUARD_INSTALL is refused") == 1);
    }
}

TEST_CASE("stack_guards: a madvise that answers 0 without making a guard is detected, and the log says so once") {
    const auto child = with_madvise_answered(0);
    INFO(child.output);
    CHECK_FALSE(child.died());
    CHECK(child.says("made by mprotect"));
    CHECK(count(child.output, "MADV_GUARD_INSTALL succeeds but guards nothing here") == 1);
}

TEST_CASE("stack_guards: guards in locked memory are made with mprotect, and the log says so" *
          doctest::skip(coir::test::sanitized)) {  // sanitizers ignore mlockall
    const auto child = coir::test::in_child([] {
        if (::mlockall(MCL_FUTURE) != 0) {
            std::puts("not permitted");
            return;
        }
        stack_guards guards;
        check_guard(guards);
        std::puts(guards.kind() == guard_kind::mprotect ? "made by mprotect" : "made by madvise");
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
    if (!child.says("not permitted")) {
        CHECK(child.says("made by mprotect"));
        CHECK(child.says("stacks are guarded by mprotect"));
    }
}
