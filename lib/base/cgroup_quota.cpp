#include "base/cgroup_quota.hpp"

#include "base/read_file.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

/// @file
/// /proc/self/cgroup names the cgroup of a process, and /proc/self/mountinfo the mount point of its hierarchy:
/// see cgroups(7), "/proc files", and proc(5). Version 2 has the quota in cpu.max, as "$MAX $PERIOD" or "max $PERIOD"
/// (Documentation/admin-guide/cgroup-v2.rst, "CPU Interface Files"). Version 1 has it in cpu.cfs_quota_us, where -1
/// means no quota, and in cpu.cfs_period_us (Documentation/scheduler/sched-bwc.rst). The quotas of all ancestors limit
/// a group as well. Both versions may be mounted at once; the cpu controller is in only one of them, and the other
/// hierarchy has no quota files.

namespace coir::detail {

namespace {

/// Empty if the file cannot be read.
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

/// A mounted hierarchy that may have quotas.
struct mount {
    bool version_2;
    std::string group;  // the group at the mount point: "/", or the group of a container
    std::string point;
};

/// mountinfo writes a space, a tab, a newline and a backslash as a backslash and three octal digits: proc(5),
/// "/proc/pid/mounts".
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

/// Parses lines like "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw".
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

/// The process's group in a hierarchy, from lines like "4:cpu,cpuacct:/some/group" and "0::/some/group".
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

/// The group's path relative to the mount point; empty for the group at the mount point itself. `std::nullopt` if the
/// group is not below the mount point: a process that was moved out of its cgroup namespace sees "/../other", and the
/// files of that group are not mounted.
std::optional<std::string> path_below(const std::string& top, std::string group) {
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
    std::int64_t quota = -1;  // microseconds of processor time in each period; the word "max" if there is no limit
    std::int64_t period = 0;
    if (!(text >> quota >> period) || quota < 0 || period <= 0) return std::nullopt;
    const std::int64_t cores = quota / period + (quota % period != 0 ? 1 : 0);
    return static_cast<unsigned>(std::clamp<std::int64_t>(cores, 1, std::numeric_limits<int>::max()));
}

void take_minimum(std::optional<unsigned>& smallest, std::optional<unsigned> quota) {
    if (quota && (!smallest || *quota < *smallest)) smallest = quota;
}

}  // namespace

std::optional<unsigned> cgroup_quota(const std::string& root) {
    std::optional<unsigned> smallest;
    const std::string groups = content_of(root + "/proc/self/cgroup");
    for (const mount& each : mounts_in(content_of(root + "/proc/self/mountinfo"))) {
        const auto group = group_in(groups, each.version_2);
        auto path = group ? path_below(each.group, *group) : std::nullopt;
        while (path) {
            take_minimum(smallest, quota_of(root + each.point + *path, each.version_2));
            if (path->empty()) break;
            path->resize(path->rfind('/'));
        }
    }
    return smallest;
}

}  // namespace coir::detail
