#pragma once

#include <vector>

namespace coir::test {

/// A function that sleeps, with other functions around it, from a source file that was compiled in one of several ways.
struct sleeper {
    const char* name;  // the namespace of its functions: `outer`, which calls `middle`, which calls `inner`
    void (*outer)(int milliseconds);
};

/// All of them. Each adds itself before main.
inline std::vector<sleeper>& sleepers() {
    static std::vector<sleeper> all;
    return all;
}

}  // namespace coir::test
