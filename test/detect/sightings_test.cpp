#include "detect/sightings.hpp"

#include <doctest/doctest.h>

#include "detect/record_file.hpp"

using namespace std::chrono_literals;
using coir::detail::sighting;
using coir::detail::sighting_table;

namespace {

sighting at(const void* frame, std::chrono::nanoseconds held) {
    sighting made;
    made.call = "read";
    made.longest = made.total = held;
    made.stack.frames[0] = frame;
    made.stack.depth = 1;
    return made;
}

}  // namespace

TEST_CASE("sightings: the same stack is one entry that counts, adds up and keeps the longest") {
    coir::detail::record_file record{""};
    sighting_table table{record.memory()};
    CHECK(table.record(at(&table, 2ms)).is_new);
    CHECK_FALSE(table.record(at(&table, 5ms)).is_new);
    CHECK_FALSE(table.record(at(&table, 1ms)).is_new);
    CHECK(table.size() == 1);
    sighting merged;
    table.copy(0, merged);
    CHECK(merged.count == 3);
    CHECK(merged.total == 8ms);
    CHECK(merged.longest == 5ms);
}

TEST_CASE("sightings: what lasts longer than was said is lengthened, and not counted again") {
    coir::detail::record_file record{""};
    sighting_table table{record.memory()};
    const int place = table.record(at(&table, 2ms)).place;
    table.lengthen(place, 2ms, 9ms);
    table.lengthen(-1, 2ms, 9ms);
    sighting merged;
    table.copy(place, merged);
    CHECK(merged.count == 1);
    CHECK(merged.total == 9ms);
    CHECK(merged.longest == 9ms);
}

TEST_CASE("sightings: a full table counts what it leaves out") {
    coir::detail::record_file record{""};
    sighting_table table{record.memory()};
    for (std::uintptr_t i = 1; i <= sighting_table::capacity + 3; ++i) {
        table.record(at(reinterpret_cast<const void*>(i), 1ms));
    }
    CHECK(table.size() == sighting_table::capacity);
    CHECK(table.left_out() == 3);
    CHECK(table.record(at(reinterpret_cast<const void*>(1), 1ms)).place == 0);
}

TEST_CASE("sightings: of a stack that is not known, the place where the fiber was spawned tells one from the other") {
    coir::detail::record_file record{""};
    sighting_table table{record.memory()};
    sighting made;
    made.fiber.spawn_site = &table;
    table.record(made);
    made.fiber.id = 2;
    table.record(made);
    CHECK(table.size() == 1);
    made.fiber.spawn_site = &made;
    table.record(made);
    CHECK(table.size() == 2);
}
