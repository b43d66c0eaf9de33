#include "storm/operations.hpp"

#include <exception>
#include <iostream>
#include <iterator>
#include <string>

namespace coir::storm {

namespace {

using operation = void (*)(island&);

constexpr operation operations[] = {
    lock,          deliver,           take_delivery,        take_permit,  send_value,  receive_value, select_value,
    sleep,         connect_tcp,       use_unix_streams,     use_pipe,     use_files,   post,          visit,
    await_promise, send_shared_value, receive_shared_value, offload_work, run_program,
};

void operate_in_group(island& here, int depth) {
    task_group group{limit{2}};
    try {
        for (std::size_t left = 1 + here.random.below(4); left > 0; --left) {
            group.spawn([&here, depth, life = counted{here.all.counts.fibers}] {
                operate(here, depth);
                if (here.random.below(8) == 0) throw bad_luck{"bad luck"};
            });
        }
        group.wait();
    } catch (const bad_luck&) {
    } catch (const exception_group&) {
    }
}

void operate_in_time(island& here, int depth) {
    const auto length = std::chrono::microseconds{here.random.below(2000)};
    static_cast<void>(try_with_timeout(length, [&] { operate(here, depth); }));
}

void operate_shielded(island& here, int depth) {
    const shield_scope shield;
    operate(here, depth);
}

}  // namespace

void operate(island& here, int depth) {
    ++here.all.counts.operations;
    const std::size_t how = here.random.below(depth < 3 ? 8 : 5);
    switch (how) {
    case 5: return operate_in_group(here, depth + 1);
    case 6: return operate_in_time(here, depth + 1);
    case 7: return operate_shielded(here, depth + 1);
    default: break;
    }
    try {
        operations[here.random.below(std::size(operations))](here);
    } catch (const std::exception& failure) {
        expect(false, here, failure.what());
    }
}

void expect(bool claim, island& here, const char* text) {
    if (claim) return;
    ++here.all.counts.violations;
    std::cerr << "storm, seed " + std::to_string(here.seed) + ": does not hold: " + text + "\n";
}

}  // namespace coir::storm
