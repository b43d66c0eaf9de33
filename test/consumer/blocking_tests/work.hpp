#pragma once

#include <coir/coir.hpp>

#include <chrono>
#include <thread>

inline void careful() {
    coir::run([] { coir::this_fiber::sleep_for(std::chrono::milliseconds{2}); });
}

inline void careless() {
    coir::run([] { std::this_thread::sleep_for(std::chrono::milliseconds{2}); });
}
