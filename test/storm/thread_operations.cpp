#include <coir/process/run_process.hpp>

#include "storm/operations.hpp"

#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

namespace coir::storm {

void post(island& here) {
    account& posts = here.all.counts.posts;
    if (posts.in > posts.out + 1000) return;  // otherwise only memory would limit them
    here.all.any(here.random).scheduler.post([&posts] { ++posts.out; });
    ++posts.in;
}

void visit(island& here) {
    island& there = here.all.any(here.random);
    try {
        auto visitor = spawn_on(there.scheduler, [&there, life = counted{here.all.counts.fibers}] {
            operate(there, 2);
            return 42;
        });
        if (here.random.below(4) == 0) return visitor.detach();
        if (here.random.below(4) == 0) visitor.request_stop();
        expect(visitor.get(1h) == 42, here, "a fiber on another scheduler returns its result");
    } catch (const fiber_stopped&) {
    }
}

void await_promise(island& here) {
    promise<std::string> made;
    auto awaited = made.get_future();
    here.all.any(here.random).scheduler.post([made = std::move(made)]() mutable {
        made.set_value("kept, in a string of some length");
    });
    expect(awaited.get(1h).size() == 32, here, "a future gives the value of its promise");
}

void send_shared_value(island& here) {
    try {
        here.all.values.send(1, std::chrono::microseconds{here.random.below(500)});
        ++here.all.counts.values.in;
    } catch (const timed_out&) {
    }
}

void receive_shared_value(island& here) {
    try {
        here.all.values.recv(std::chrono::microseconds{here.random.below(500)});
        ++here.all.counts.values.out;
    } catch (const timed_out&) {
    }
}

void offload_work(island& here) {
    const auto length = std::chrono::microseconds{here.random.below(300)};
    const int answer = offload([&](const std::stop_token& stop) {
        const counted work{here.all.counts.work};
        if (!stop.stop_requested()) std::this_thread::sleep_for(length);
        return 42;
    });
    expect(answer == 42, here, "offloaded work returns its result");
}

void run_program(island& here) {
    if (here.random.below(50) != 0) return;  // a process costs much more than the rest
    try {
        const auto ended = run_process({"echo", "hello"}, {}, {}, here.random.below(4) == 0 ? 1ms : 20s);
        expect(ended.output == "hello\n", here, "a program's output is complete");
    } catch (const timed_out&) {
    }
}

}  // namespace coir::storm
