// A test of a service. With SERVICE_IS_CARELESS in the environment it blocks its thread, so that the job fails.

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
