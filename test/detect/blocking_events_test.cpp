#include "detect/record/blocking_events.hpp"
#include "detect/record/record_file.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using coir::detail::blocking_event;
using coir::detail::blocking_event_table;

namespace {

blocking_event at(const void* frame, std::chrono::nanoseconds held) {
    blocking_event made;
    made.call = "read";
    made.longest = made.total = held;
    made.stack.frames[0] = frame;
    made.stack.depth = 1;
    return made;
}

}  // namespace

TEST_CASE("events: equal stacks are one entry with a count, the total and the longest duration") {
    coir::detail::record_file record{""};
    blocking_event_table table{record.memory()};
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
    coir::detail::record_file record{""};
    blocking_event_table table{record.memory()};
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
    coir::detail::record_file record{""};
    blocking_event_table table{record.memory()};
    for (std::uintptr_t i = 1; i <= blocking_event_table::capacity + 3; ++i) {
        table.record(at(reinterpret_cast<const void*>(i), 1ms));
    }
    CHECK(table.size() == blocking_event_table::capacity);
    CHECK(table.left_out() == 3);
    CHECK(table.record(at(reinterpret_cast<const void*>(1), 1ms)).index == 0);
}

TEST_CASE("events: events without a stack are distinguished by the index of the fiber's spawn site") {
    coir::detail::record_file record{""};
    blocking_event_table table{record.memory()};
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
