#include "prefork/adopted_children.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coir::detail {

namespace {

bool adopts_children() noexcept {
    int is_subreaper = 0;
    return ::getpid() == 1 || (::prctl(PR_GET_CHILD_SUBREAPER, &is_subreaper) == 0 && is_subreaper != 0);
}

/// The children of the main thread, which are all that it has started, and all that the process has adopted. Sorted.
/// Empty without /proc.
std::vector<pid_t> present_children() {
    std::ifstream in{"/proc/self/task/" + std::to_string(::getpid()) + "/children"};
    std::vector<pid_t> found{std::istream_iterator<pid_t>{in}, {}};
    std::ranges::sort(found);
    return found;
}

}  // namespace

adopted_children::adopted_children() : are_expected_{adopts_children()} {
    if (are_expected_) programs_own_ = present_children();
}

void adopted_children::call(const std::function<void()>& function) {
    if (!are_expected_) return function();
    const std::vector<pid_t> before = present_children();
    function();
    const std::vector<pid_t> after = present_children();
    std::vector<pid_t> still_there, begun, own;
    std::ranges::set_intersection(programs_own_, after, std::back_inserter(still_there));
    std::ranges::set_difference(after, before, std::back_inserter(begun));
    std::ranges::set_union(still_there, begun, std::back_inserter(own));
    programs_own_ = std::move(own);
}

void adopted_children::reap_exited(const std::function<bool(pid_t)>& is_own) {
    if (!are_expected_) return;
    for (const pid_t each : present_children()) {
        if (std::ranges::binary_search(programs_own_, each) || is_own(each)) continue;
        ::waitpid(each, nullptr, WNOHANG);
    }
}

}  // namespace coir::detail
