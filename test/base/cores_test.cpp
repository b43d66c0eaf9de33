#include <coir/thread/cores.hpp>

#include "base/affinity.hpp"
#include "base/cgroup_quota.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sched.h>
#include <string>
#include <thread>

using coir::detail::cgroup_quota;

namespace {

/// A stand-in for the files of /proc and of cgroups that a process sees.
class made_up_machine {
public:
    made_up_machine& file(const std::string& path, const std::string& text) {
        const auto full = folder_.path() / path.substr(1);
        std::filesystem::create_directories(full.parent_path());
        std::ofstream{full} << text;
        return *this;
    }
    [[nodiscard]] std::optional<unsigned> quota() const { return cgroup_quota(folder_.path().string()); }

private:
    coir::test::temporary_folder folder_;
};

/// Files of cgroup version 2, with the process in `group`.
made_up_machine& unified(made_up_machine& made, const std::string& group, const std::string& top = "/") {
    return made.file("/proc/self/cgroup", "0::" + group + "\n")
        .file("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                                      "30 22 0:26 " +
                                          top + " /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
}

}  // namespace

TEST_CASE("available_cores: is at least one, and at most the size of the affinity mask") {
    CHECK(coir::available_cores() >= 1);
    CHECK(coir::available_cores() <= coir::detail::affinity::of_process().count());
}

TEST_CASE("available_cores: counts for the process, even if the calling thread is pinned") {
    const unsigned before = coir::available_cores();
    std::thread{[&] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<unsigned>(::sched_getcpu()), &one);
        REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
        CHECK(coir::available_cores() == before);

        coir::detail::affinity::of_process().apply();
        cpu_set_t all;
        REQUIRE(::sched_getaffinity(0, sizeof all, &all) == 0);
        CHECK(static_cast<unsigned>(CPU_COUNT(&all)) == coir::detail::affinity::of_process().count());
    }}.join();
}

TEST_CASE("cgroup_quota: is absent without files") {
    CHECK_FALSE(made_up_machine{}.quota());
    made_up_machine no_quota;
    CHECK_FALSE(unified(no_quota, "/user.slice").quota());
}

TEST_CASE("cgroup_quota: version 2 gives whole processors, rounded up, at least one") {
    made_up_machine made;
    unified(made, "/service");
    const auto quota_of = [&](const std::string& text) {
        return made.file("/sys/fs/cgroup/service/cpu.max", text).quota();
    };
    CHECK(quota_of("200000 100000\n") == 2);
    CHECK(quota_of("150000 100000\n") == 2);
    CHECK(quota_of("1000 100000\n") == 1);
    CHECK(quota_of("640000 10000\n") == 64);
    CHECK_FALSE(quota_of("max 100000\n"));
    CHECK_FALSE(quota_of(""));
    CHECK_FALSE(quota_of("100000 0\n"));
    CHECK_FALSE(quota_of("nonsense\n"));
}

TEST_CASE("cgroup_quota: the limits of parent groups apply as well") {
    made_up_machine made;
    unified(made, "/a/b/c")
        .file("/sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n")
        .file("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n")
        .file("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    CHECK(made.quota() == 3);
    made.file("/sys/fs/cgroup/a/b/c/cpu.max", "100000 100000\n");
    CHECK(made.quota() == 1);
}

TEST_CASE("cgroup_quota: in a container with its own namespace, the mounted directory is the group") {
    made_up_machine made;
    CHECK(unified(made, "/").file("/sys/fs/cgroup/cpu.max", "250000 100000\n").quota() == 3);
}

TEST_CASE("cgroup_quota: in a container without its own namespace, the mount names the prefix of the group's path") {
    made_up_machine made;
    unified(made, "/docker/0123/inner", "/docker/0123").file("/sys/fs/cgroup/inner/cpu.max", "200000 100000\n");
    CHECK(made.quota() == 2);
    made.file("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    CHECK(made.quota() == 1);
}

TEST_CASE("cgroup_quota: a group that is not below the mount has no quota") {
    made_up_machine other_top;
    unified(other_top, "/docker/01234", "/docker/0123").file("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    CHECK_FALSE(other_top.quota());
    made_up_machine moved_out;
    unified(moved_out, "/../other").file("/sys/fs/other/cpu.max", "100000 100000\n");
    CHECK_FALSE(moved_out.quota());
}

TEST_CASE("cgroup_quota: version 1, with one mount per hierarchy") {
    made_up_machine made;
    made.file("/proc/self/cgroup", "9:name=systemd:/elsewhere\n4:cpuset:/\n3:cpu,cpuacct:/jobs/7\n0::/unified\n")
        .file("/proc/self/mountinfo",
              "33 31 0:29 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n"
              "34 31 0:30 / /cg/cpu\\040time rw,relatime shared:10 master:2 - cgroup cgroup rw,cpu,cpuacct\n"
              "35 31 0:31 / /cg/unified rw - cgroup2 cgroup2 rw\n")
        .file("/cg/cpu time/jobs/7/cpu.cfs_quota_us", "-1\n")
        .file("/cg/cpu time/jobs/7/cpu.cfs_period_us", "100000\n");
    CHECK_FALSE(made.quota());
    made.file("/cg/cpu time/jobs/cpu.cfs_quota_us", "350000\n").file("/cg/cpu time/jobs/cpu.cfs_period_us", "100000\n");
    CHECK(made.quota() == 4);
    made.file("/cg/cpu time/jobs/7/cpu.cfs_quota_us", "50000\n");
    CHECK(made.quota() == 1);
}

TEST_CASE("cgroup_quota: a path may contain colons") {
    made_up_machine made;
    CHECK(unified(made, "/a:b/c").file("/sys/fs/cgroup/a:b/cpu.max", "100000 100000\n").quota() == 1);
}
