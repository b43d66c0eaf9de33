#include <coir/coir.hpp>

#include "support/death.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

constexpr int is_not_secure = 77;

/// Runs this program as another user, with more privileges than that user has; it runs only the test case below.
coir::test::ending run_as_set_user_id_program(const std::string& program, const std::string& report) {
    return coir::test::in_child([&] {
        constexpr uid_t nobody = 65534;
        if (::setresgid(nobody, nobody, nobody) != 0 || ::setresuid(nobody, nobody, nobody) != 0) ::_exit(99);
        const std::string variable = "COIR_BLOCKING_REPORT=" + report;
        std::array<const char*, 5> variables{variable.c_str(), "COIR_BLOCKING=refused", "COIR_SEED=refused",
                                             "COIR_BLOCKING_SUPPRESSIONS=/etc/shadow", nullptr};
        std::array<const char*, 4> arguments{program.c_str(), "--no-skip", "--test-case=in a set-user-ID program*",
                                             nullptr};
        ::execve(program.c_str(), const_cast<char**>(arguments.data()), const_cast<char**>(variables.data()));
        ::_exit(99);
    });
}

}  // namespace

TEST_CASE("settings: a set-user-ID program ignores the environment of its caller") {
    if (::geteuid() != 0) return;
    const coir::test::temporary_folder folder;
    std::filesystem::permissions(folder.path(), std::filesystem::perms{0755});
    std::filesystem::create_directory(folder.file("roots"));
    std::filesystem::permissions(folder.file("roots"), std::filesystem::perms{0700});
    const std::string program = folder.file("program");
    std::filesystem::copy_file("/proc/self/exe", program);
    REQUIRE(::chmod(program.c_str(), 04755) == 0);
    const auto end = run_as_set_user_id_program(program, folder.file("roots/report"));
    if (end.exit_code == is_not_secure) return;  // the file system ignores the set-user-ID bit
    INFO(end.output);
    CHECK_FALSE(end.died());
    CHECK_FALSE(std::filesystem::exists(folder.file("roots/report")));
}

TEST_CASE("in a set-user-ID program, variables have no effect" * doctest::skip()) {
    if (::getauxval(AT_SECURE) == 0) ::_exit(is_not_secure);
    coir::test::explore(1, [] {});
    coir::run([] { std::this_thread::sleep_for(15ms); });
}
