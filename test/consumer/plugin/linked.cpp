// A program that is linked with two shared libraries, each of which contains coir.
#ifdef PROGRAM_HAS_COIR
#include <coir/coir.hpp>
#endif

#include <cstdio>
#include <thread>

extern "C" int first_library();
extern "C" int second_library();

int main() {
#ifdef PROGRAM_HAS_COIR
    coir::run([] { coir::spawn([] {}).get(); });
#endif
    const int one = first_library(), other = second_library();
    int at_once[2] = {};
    std::thread threads[2] = {std::thread{[&] { at_once[0] = first_library(); }},
                              std::thread{[&] { at_once[1] = second_library(); }}};
    for (std::thread& each : threads) each.join();
    std::printf("reports: %d, %d; at once: %d, %d\n", one, other, at_once[0], at_once[1]);
    return one == 1 && other == 1 && at_once[0] == 1 && at_once[1] == 1 ? 0 : 1;
}
