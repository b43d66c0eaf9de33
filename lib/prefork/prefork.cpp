#include <coir/process/prefork.hpp>
#include <coir/thread/cores.hpp>

#include "base/log.hpp"
#include "core/scheduler.hpp"
#include "prefork/supervisor.hpp"

#include <filesystem>
#include <iterator>
#include <stdexcept>

namespace coir {

namespace {

bool has_other_threads() {
    std::error_code unknown;
    const std::filesystem::directory_iterator threads{"/proc/self/task", unknown};
    return !unknown && std::distance(begin(threads), end(threads)) > 1;
}

}  // namespace

int prefork(unsigned workers, const std::function<void(worker&)>& main, const prefork_options& options) {
    if (detail::scheduler::current() != nullptr) {
        throw std::logic_error{"prefork: called in a fiber; call it from main, in place of coir::run"};
    }
    if (has_other_threads()) {
        log::warning("prefork: the program has other threads: they do not exist in the workers, where locks that they "
                     "hold are never unlocked; call prefork before starting threads");
    }
    return detail::supervisor{workers > 0 ? workers : available_cores(), main, options}.run();
}

}  // namespace coir
