// A test of a service. It blocks its thread when it is told to: for a look at a job that fails.

#include <coir/coir.hpp>

#include <chrono>
#include <cstdlib>
#include <thread>

using namespace std::chrono_literals;

int main() {
    coir::run([] {
        auto request = coir::spawn({.name = "request"}, [] {
            if (std::getenv("SERVICE_IS_CARELESS") != nullptr)
                std::this_thread::sleep_for(20ms);
            else
                coir::this_fiber::sleep_for(20ms);
        });
        request.get();
    });
}
