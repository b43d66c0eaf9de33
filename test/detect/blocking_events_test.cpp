#include "detect/record/blocking_events.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <sys/mman.h>

using namespace std::chrono_literals;
using coir::blocking_kind;
using coir::detail::blocking_event;
using coir::detail::blocking_event_memory;
using coir::detail::blocking_event_table;

namespace {

blocking_event at(const void* frame, std::chrono::nanoseconds held, blocking_kind kind = blocking_kind::blocked) {
    blocking_event made;
    made.kind = kind;
    made.call = "read";
    made.longest = made.total = held;
    made.stack.frames[0] = frame;
    made.stack.depth = 1;
    return made;
}

const void* frame(std::uintptr_t number) { return reinterpret_cast<const void*>(number); }

}  // namespace

TEST_CASE("events: equal stacks are one entry with a count, the total and the longest duration") {
    const auto memory = std::make_unique<blocking_event_memory>();
    blocking_event_table table{*memory};
    CHECK(table.record(at(&table, 2ms)).is_new);
    CHECK_FALSE(table.record(at(&table, 5ms)).is_new);
    CHECK_FALSE(table.record(at(&table, 1ms)).is_new);
    CHECK(table.size() == 1);
    blocking_event merged;
    table.copy(0, merged);
    CHECK(merged.count == 3);
    CHECK(merged.total == 8ms);
    CHECK(merged.longest == 5ms);
}

TEST_CASE("events: an event that lasts longer than recorded is extended, and not counted again") {
    const auto memory = std::make_unique<blocking_event_memory>();
    blocking_event_table table{*memory};
    const int index = table.record(at(&table, 2ms)).index;
    table.lengthen(index, 2ms, 9ms);
    table.lengthen(-1, 2ms, 9ms);
    blocking_event merged;
    table.copy(index, merged);
    CHECK(merged.count == 1);
    CHECK(merged.total == 9ms);
    CHECK(merged.longest == 9ms);
}

TEST_CASE("events: a full table counts the events that it drops") {
    const auto memory = std::make_unique<blocking_event_memory>();
    blocking_event_table table{*memory};
    for (std::uintptr_t i = 1; i <= blocking_event_table::capacity + 3; ++i) table.record(at(frame(i), 1ms));
    CHECK(table.size() == blocking_event_table::capacity);
    CHECK(table.left_out() == 3);
    CHECK(table.left_out_errors() == 3);
    CHECK(table.record(at(frame(1), 1ms)).index == 0);
}

TEST_CASE("events: what is no error leaves room for what is, and what did not sleep for what did") {
    const auto memory = std::make_unique<blocking_event_memory>();
    blocking_event_table table{*memory};
    const auto fill = [&](blocking_kind kind, const char* call) {
        for (std::uintptr_t i = 1; i <= blocking_event_table::capacity; ++i) {
            blocking_event seen = at(frame(i), 1ms, kind);
            seen.call = call;
            table.record(seen);
        }
    };
    fill(blocking_kind::latent, "open");
    CHECK(table.size() == blocking_event_table::capacity / 4);
    CHECK(table.left_out_errors() == 0);
    fill(blocking_kind::latent, "read");
    CHECK(table.size() == blocking_event_table::capacity / 2);
    CHECK(table.left_out_errors() == blocking_event_table::capacity * 3 / 4);
    fill(blocking_kind::blocked, "read");
    CHECK(table.size() == blocking_event_table::capacity);
    CHECK(table.left_out() == blocking_event_table::capacity * 2);
}

TEST_CASE("events: a run is added to another one, event by event, with what both left out") {
    const auto one = std::make_unique<blocking_event_memory>();
    const auto other = std::make_unique<blocking_event_memory>();
    blocking_event_table{*one}.record(at(frame(1), 2ms));
    blocking_event_table{*other}.record(at(frame(1), 3ms));
    blocking_event_table{*other}.record(at(frame(2), 1ms));
    one->left_out_errors = 1;
    other->left_out_errors = 2;
    other->left_out_others = 4;
    blocking_event_table table{*one};
    table.merge(*other);
    REQUIRE(table.size() == 2);
    blocking_event merged;
    table.copy(0, merged);
    CHECK(merged.count == 2);
    CHECK(merged.total == 5ms);
    CHECK(merged.longest == 3ms);
    CHECK(table.left_out_errors() == 3);
    CHECK(table.left_out() == 7);
}

TEST_CASE("events: an event for which no memory can be had is counted, and is no SIGBUS") {
    // As on a full disk, there is no page behind the first one.
    void* const mapped =
        ::mmap(nullptr, sizeof(blocking_event_memory), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(mapped != MAP_FAILED);
    REQUIRE(::mprotect(mapped, offsetof(blocking_event_memory, events), PROT_READ | PROT_WRITE) == 0);
    {
        blocking_event_table table{*static_cast<blocking_event_memory*>(mapped)};
        CHECK(table.record(at(frame(1), 1ms)).index == -1);
        blocking_event warning = at(frame(1), 1ms, blocking_kind::latent);
        warning.call = "open";
        CHECK(table.record(warning).index == -1);
        CHECK(table.size() == 0);
        CHECK(table.left_out() == 2);
        CHECK(table.left_out_errors() == 1);
    }
    ::munmap(mapped, sizeof(blocking_event_memory));
}

TEST_CASE("events: events without a stack are distinguished by the index of the fiber's spawn site") {
    const auto memory = std::make_unique<blocking_event_memory>();
    blocking_event_table table{*memory};
    blocking_event made;
    made.fiber.spawn_site = &table;
    table.record(made);
    made.fiber.id = 2;
    table.record(made);
    CHECK(table.size() == 1);
    made.fiber.spawn_site = &made;
    table.record(made);
    CHECK(table.size() == 2);
}
