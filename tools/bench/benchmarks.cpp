#include "benchmarks.hpp"

#include <utility>

namespace bench {
namespace {

benchmark yield(const std::string& fibers, std::optional<double> bare_limit, std::optional<double> boost_limit) {
    const auto contest = [&](const std::string& name, const std::string& program) {
        return contender{name, program + " " + fibers + " 4000000", program + " " + fibers + " 20000"};
    };
    return {.name = "yield, " + fibers + " fibers",
            .contenders = {contest("coir", "bench_coir_fiber yield"), contest("bare switch", "bench_bare yield"),
                           contest("fcontext", "bench_bare yield-fcontext"),
                           contest("Boost.Fiber", "bench_boost_fiber yield")},
            .lines = {{.label = "ns",
                       .metric = "ns",
                       .against = {{"bare switch", bare_limit}, {"fcontext"}, {"Boost.Fiber", boost_limit}}}}};
}

/// A scenario that exists for both coir and Boost.Fiber, in ns.
benchmark against_boost(const std::string& name, const std::string& coir_program, const std::string& scenario,
                        const std::string& full, const std::string& smoke, double limit) {
    const auto contest = [&](const std::string& who, const std::string& program) {
        return contender{who, program + " " + scenario + " " + full, program + " " + scenario + " " + smoke};
    };
    return {.name = name,
            .contenders = {contest("coir", coir_program), contest("Boost.Fiber", "bench_boost_fiber")},
            .lines = {{.label = "ns", .metric = "ns", .against = {{"Boost.Fiber", limit}}}}};
}

/// By the wall clock, as both sides sleep.
benchmark offload(const std::string& name, const std::string& cores) {
    return {.name = "offload, round trip " + name,
            .contenders = {{"coir", "bench_coir_sync offload 50000 " + cores, "bench_coir_sync offload 100 " + cores},
                           {"two threads", "bench_bare hand-over 50000 " + cores, "bench_bare hand-over 100 " + cores}},
            .lines = {{.label = "us", .metric = "us", .against = {{"two threads", 1.3}}}}};
}

/// By the wall clock, as both sides sleep.
benchmark post(const std::string& name, const std::string& cores) {
    return {.name = "post to a parked scheduler and back, " + name,
            .contenders = {{"coir", "bench_coir_threads post 50000 " + cores, "bench_coir_threads post 100 " + cores},
                           {"eventfds", "bench_bare_threads ping-pong 50000 " + cores,
                            "bench_bare_threads ping-pong 100 " + cores}},
            .lines = {{.label = "us", .metric = "us", .against = {{"eventfds", 1.5}}}}};
}

/// By the wall clock: what a timer notices of a flood of posts.
benchmark flood() {
    return {.name = "a sleep of 1 ms in a flood of posts",
            .contenders = {{"coir", "bench_coir_threads flood 300", "bench_coir_threads flood 10"}},
            .lines = {{.label = "ms late, p99", .metric = "ms", .against = {}, .limit = 5}}};
}

benchmark concurrent_channel(const std::string& name, const std::string& scenario, const std::string& baseline,
                             std::optional<double> limit) {
    return {.name = "concurrent_channel of 1,024, " + name,
            .contenders = {{"coir", "bench_coir_threads " + scenario + " 10000000 1024",
                            "bench_coir_threads " + scenario + " 10000 1024"},
                           {"bounded queue", "bench_bare_threads " + baseline + " 10000000 1024",
                            "bench_bare_threads " + baseline + " 10000 1024"}},
            .lines = {{.label = "ns per item", .metric = "ns", .against = {{"bounded queue", limit}}}}};
}

benchmark spawn_and_join() {
    return {.name = "spawn+join, one at a time",
            .contenders = {{"coir", "bench_coir_fiber spawn 1000000", "bench_coir_fiber spawn 1000"},
                           {"make_fcontext", "bench_bare spawn 2000000", "bench_bare spawn 1000"},
                           {"Boost.Fiber", "bench_boost_fiber spawn 300000", "bench_boost_fiber spawn 1000"}},
            .lines = {{.label = "ns", .metric = "ns", .against = {{"make_fcontext", 5}, {"Boost.Fiber"}}}}};
}

/// A million fibers asleep at once. The bare loop uses guards of the same size as coir: a quarter of the stack.
benchmark asleep(const std::string& stack_name, const std::string& stack_bytes, const std::string& guard_bytes,
                 double limit_bytes) {
    const std::string sizes = " 1000000 " + stack_bytes, small = " 2000 " + stack_bytes;
    return {
        .name = "1,000,000 asleep, " + stack_name,
        .contenders = {{"coir", "bench_coir_fiber asleep" + sizes, "bench_coir_fiber asleep" + small},
                       {"bare stacks", "bench_bare stacks" + sizes + " " + guard_bytes,
                        "bench_bare stacks" + small + " " + guard_bytes},
                       {"Boost, no guards", "bench_boost_fiber asleep" + sizes, "bench_boost_fiber asleep" + small}},
        .lines = {
            {.label = "bytes each",
             .metric = "bytes",
             .against = {{"bare stacks"}, {"Boost, no guards"}},
             .limit = limit_bytes},
            {.label = "mappings", .metric = "mappings", .against = {}, .limit = 4999},
            {.label = "spawn, s of CPU", .metric = "cpu", .against = {{"bare stacks", 1.4}, {"Boost, no guards"}}}}};
}

/// A million sleeps of 1 to 1,000 ms, started one after the other.
benchmark sleepers() {
    return {
        .name = "1,000,000 sleepers of 1..1000 ms",
        .contenders = {{"coir", "bench_coir_fiber sleepers 1000000 65536", "bench_coir_fiber sleepers 2000 65536"},
                       {"bare stacks", "bench_bare stacks 1000000 65536 16384", "bench_bare stacks 2000 65536 16384"},
                       {"Boost.Fiber", "bench_boost_fiber sleepers 1000000 65536",
                        "bench_boost_fiber sleepers 2000 65536"}},
        .lines = {
            {.label = "s beyond 1", .metric = "beyond", .against = {{"bare stacks", {}, "seconds"}, {"Boost.Fiber"}}},
            {.label = "woken early", .metric = "early", .against = {}, .limit = 0}}};
}

benchmark hundred_sleeps() {
    return {.name = "100 sleeps of 1 s",
            .contenders = {{"coir", "bench_coir_fiber naps 100 1000", "bench_coir_fiber naps 100 20"}},
            .lines = {{.label = "s", .metric = "first", .against = {}, .limit = 1.01},
                      {.label = "woken early", .metric = "early", .against = {}, .limit = 0}}};
}

benchmark many_sleeps() {
    return {
        .name = "10,000 sleeps of 1 s",
        .contenders = {{"coir", "bench_coir_fiber naps 10000 1000", "bench_coir_fiber naps 1000 20"},
                       {"bare stacks", "bench_bare stacks 10000 262144 65536", "bench_bare stacks 1000 262144 65536"}},
        .lines = {{.label = "s beyond 1", .metric = "beyond", .against = {{"bare stacks", 1.5, "seconds"}}},
                  {.label = "second round, s", .metric = "second", .against = {}, .limit = 1.02},
                  {.label = "woken early", .metric = "early", .against = {}, .limit = 0}}};
}

benchmark storm() {
    return {.name = "system calls in a storm of yields",
            .contenders = {{"coir", "count_storm_calls bench_coir_fiber 1000 3000000",
                            "count_storm_calls bench_coir_fiber 10 10000"}},
            .lines = {{.label = "fibers' thread", .metric = "thread", .against = {}, .limit = 0},
                      {.label = "whole process", .metric = "process", .against = {}}}};
}

// ---- blocking detection ----

/// The same program with several settings; the first is compared with the others.
std::vector<contender> engines(const std::vector<std::pair<std::string, std::string>>& names_and_settings,
                               const std::string& full, const std::string& smoke) {
    std::vector<contender> made;
    for (const auto& [name, setting] : names_and_settings)
        made.push_back({made.empty() ? "coir" : name, setting + " " + full, setting + " " + smoke});
    return made;
}

const std::pair<std::string, std::string> with_traps{"traps", "COIR_BLOCKING_ENGINE=trap"};
const std::pair<std::string, std::string> with_hooks{"hooks", "COIR_BLOCKING_ENGINE=hooks"};
const std::pair<std::string, std::string> without{"no detection", "COIR_BLOCKING=off"};

benchmark armed_yield() {
    return {.name = "yield, 100 fibers, traps",
            .contenders = engines({with_traps, without}, "bench_coir_fiber yield 100 4000000",
                                  "bench_coir_fiber yield 100 20000"),
            .lines = {{.label = "ns", .metric = "ns", .against = {{without.first, 1.03}}}}};
}

benchmark armed_echo(const std::pair<std::string, std::string>& engine, double limit) {
    return {.name = "TCP echo, " + engine.first,
            .contenders = engines({engine, without}, "bench_echo_load bench_echo_coir 100 200000",
                                  "bench_echo_load bench_echo_coir 10 1000"),
            .lines = {{.label = "us of CPU per request", .metric = "us", .against = {{without.first, limit}}}}};
}

/// A lock and unlock of a std::mutex that is free, in programs with and without coir.
benchmark std_mutex(const std::string& where, const std::string& scenario, double limit) {
    const std::string in_coir = "COIR_BLOCKING_STALL_MS=60000 bench_coir_threads " + scenario;
    return {
        .name = "std::mutex, free, " + where,
        .contenders = {{"coir", in_coir + " 50000000", in_coir + " 1000"},
                       {"without coir", "bench_bare_threads std-mutex 50000000", "bench_bare_threads std-mutex 1000"}},
        .lines = {{.label = "ns", .metric = "ns", .against = {{"without coir", limit}}}}};
}

benchmark stray_call() {
    // The measured loop would be reported as a long computation, so raise the watchdog's threshold.
    const std::string patient = "COIR_BLOCKING_STALL_MS=60000 bench_coir_fiber stray ";
    return {
        .name = "stray system call, traps",
        .contenders = engines({with_traps, with_hooks, without}, patient + "1000000", patient + "1000"),
        .lines = {{.label = "ns", .metric = "ns", .against = {{with_hooks.first}, {without.first}}, .limit = 4000}}};
}

}  // namespace

std::vector<benchmark> fiber_benchmarks() {
    constexpr double third = 1 / 3.;
    return {
        yield("2", 2, third),
        yield("100", 2, 1 / 2.),
        yield("1000", 2, 1 / 1.6),
        yield("10000", {}, {}),
        spawn_and_join(),
        against_boost("burst of 10,000, each", "bench_coir_fiber", "burst", "10000 20", "100 2", 0.5),
        against_boost("unbuffered channel, round trip", "bench_coir_sync", "rendezvous", "500000", "1000", 0.45),
        against_boost("buffered channel of 64, per item", "bench_coir_sync", "buffered", "5000000 64", "1000 64", 0.6),
        against_boost("mutex, uncontended pair", "bench_coir_sync", "mutex-pair", "10000000", "1000", 0.5),
        against_boost("mutex, handed over", "bench_coir_sync", "mutex-handover", "500000", "1000", 0.5),
        offload("on one core", "1"),
        offload("between two cores", "2"),
        post("on one core", "1"),
        post("between two cores", "2"),
        flood(),
        concurrent_channel("in one thread", "fill-and-empty", "fill-and-empty", 2.0),
        concurrent_channel("between two cores, awake", "pass", "pass", 2.0),
        concurrent_channel("between fibers on two cores", "stream", "pass", std::nullopt),
        hundred_sleeps(),
        many_sleeps(),
        sleepers(),
        asleep("64 KiB stacks", "65536", "16384", 4700),
        asleep("256 KiB stacks", "262144", "65536", 5000),
        storm(),
        armed_yield(),
        armed_echo(with_traps, 1.05),
        armed_echo(with_hooks, 1.02),
        stray_call(),
        std_mutex("outside of coir", "std-mutex", 1.3),
        std_mutex("in a fiber", "std-mutex-in-fiber", 1.5)};
}

}  // namespace bench
