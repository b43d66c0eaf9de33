#include "base/cgroup_quota.hpp"

#include "base/read_file.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

// Which group a process is in stands in /proc/self/cgroup, and where its hierarchy is mounted in /proc/self/mountinfo:
// cgroups(7), "/proc files", and proc(5). Version 2 has its quota in cpu.max, "$MAX $PERIOD" or "max $PERIOD"
// (Documentation/admin-guide/cgroup-v2.rst, "CPU Interface Files"), version 1 in cpu.cfs_quota_us, -1 for none, and
// cpu.cfs_period_us (Documentation/scheduler/sched-bwc.rst). A group is limited by those above it as well. Both
// versions may be mounted at once; the controller is in one of them, and the files of the other are not there.
namespace coir::detail {

namespace {

/// "" where it cannot be read.
std::string content_of(const std::string& path) {
    try {
        return read_file(path, "cgroup");
    } catch (const std::system_error&) {
        return {};
    }
}

bool lists(std::string_view names, std::string_view name) {
    const std::string all = "," + std::string{names} + ",";
    return all.find("," + std::string{name} + ",") != std::string::npos;
}

/// A hierarchy that may have quotas, mounted somewhere.
struct mount {
    bool version_2;
    std::string group;  // which is at the mount point: "/", or a container's own
    std::string point;
};

/// Spaces and the like stand there as a backslash and three octal digits: proc(5), "/proc/pid/mounts".
std::string without_escapes(const std::string& field) {
    std::string plain;
    for (std::size_t i = 0; i < field.size(); ++i) {
        if (field[i] == '\\' && i + 3 < field.size()) {
            const auto digit = [&](std::size_t which) { return field[i + which] - '0'; };
            plain += static_cast<char>(digit(1) * 64 + digit(2) * 8 + digit(3));
            i += 3;
        } else {
            plain += field[i];
        }
    }
    return plain;
}

/// Of lines as "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw".
std::vector<mount> mounts_in(const std::string& mountinfo) {
    std::vector<mount> found;
    std::istringstream lines{mountinfo};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields{line};
        std::string id, parent, device, group, point, field, type, source, options;
        fields >> id >> parent >> device >> group >> point;
        while (fields >> field && field != "-") {
        }
        fields >> type >> source >> options;
        const bool version_2 = type == "cgroup2";
        if (version_2 || (type == "cgroup" && lists(options, "cpu")))
            found.push_back({version_2, without_escapes(group), without_escapes(point)});
    }
    return found;
}

/// The process's group in a hierarchy, out of lines as "4:cpu,cpuacct:/some/group" and "0::/some/group".
std::optional<std::string> group_in(const std::string& cgroup, bool version_2) {
    std::istringstream lines{cgroup};
    for (std::string line; std::getline(lines, line);) {
        const auto controllers = line.find(':');
        const auto path = line.find(':', controllers + 1);
        if (controllers == line.npos || path == line.npos) continue;
        const auto names = std::string_view{line}.substr(controllers + 1, path - controllers - 1);
        if (version_2 ? line.starts_with("0::") : lists(names, "cpu")) return line.substr(path + 1);
    }
    return std::nullopt;
}

/// The group's path below the mount point, "" for that itself. Nothing for a group that is not below: a process that
/// has been moved out of its namespace sees "/../other", whose files nobody has mounted.
std::optional<std::string> below(const std::string& top, std::string group) {
    if (group == "/") group.clear();
    if ((group + "/").find("/../") != std::string::npos) return std::nullopt;
    if (top == "/") return group;
    if (!(group + "/").starts_with(top + "/")) return std::nullopt;
    return group.substr(top.size());
}

std::optional<unsigned> quota_of(const std::string& folder, bool version_2) {
    std::istringstream text{version_2
                                ? content_of(folder + "/cpu.max")
                                : content_of(folder + "/cpu.cfs_quota_us") + content_of(folder + "/cpu.cfs_period_us")};
    std::int64_t quota = -1;  // microseconds of processor time in each period; a word, "max", where there is no limit
    std::int64_t period = 0;
    if (!(text >> quota >> period) || quota < 0 || period <= 0) return std::nullopt;
    const std::int64_t cores = quota / period + (quota % period != 0 ? 1 : 0);
    return static_cast<unsigned>(std::clamp<std::int64_t>(cores, 1, std::numeric_limits<int>::max()));
}

void take_less(std::optional<unsigned>& least, std::optional<unsigned> quota) {
    if (quota && (!least || *quota < *least)) least = quota;
}

}  // namespace

std::optional<unsigned> cgroup_quota(const std::string& root) {
    std::optional<unsigned> least;
    const std::string groups = content_of(root + "/proc/self/cgroup");
    for (const mount& each : mounts_in(content_of(root + "/proc/self/mountinfo"))) {
        const auto group = group_in(groups, each.version_2);
        auto path = group ? below(each.group, *group) : std::nullopt;
        while (path) {
            take_less(least, quota_of(root + each.point + *path, each.version_2));
            if (path->empty()) break;
            path->resize(path->rfind('/'));
        }
    }
    return least;
}

}  // namespace coir::detail
