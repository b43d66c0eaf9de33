#pragma once

#include <sched.h>
#include <vector>

namespace coir::detail {

/// Processors that a thread may run on, however many the machine has.
class affinity {
public:
    /// Those of the process's first thread, as the process was started with: the calling one may be pinned to less.
    static affinity of_process();

    /// 0 where the kernel did not say.
    [[nodiscard]] unsigned count() const noexcept;

    /// The one of them with so many before it.
    [[nodiscard]] affinity only(unsigned index) const;

    /// Lets the calling thread run on these, whatever it has inherited from the one that made it.
    void apply() const noexcept;

private:
    std::vector<cpu_set_t> mask_;  // 1,024 processors each
};

}  // namespace coir::detail
