#pragma once

#include <sched.h>
#include <vector>

namespace coir::detail {

/// The set of processors that a thread may run on. Its size is not limited to the 1,024 processors of a `cpu_set_t`.
class affinity {
public:
    /// The processors of the process's first thread, which has the set that the process was started with. The calling
    /// thread may be pinned to fewer.
    static affinity of_process();

    /// 0 if the kernel refused to report the set.
    [[nodiscard]] unsigned count() const noexcept;

    /// The set with one processor only: the one at the zero-based `index`, in the order of processor numbers.
    [[nodiscard]] affinity only(unsigned index) const;

    /// Sets the calling thread's affinity to this set, in place of what it inherited from its creator. Does nothing if
    /// the set is not known.
    void apply() const noexcept;

private:
    std::vector<cpu_set_t> mask_;  // 1,024 processors each
};

}  // namespace coir::detail
