#include "core/switch/record_slab.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

using coir::detail::record_slab;

namespace {

/// A slab that is abandoned at the end of its scope.
struct owned_slab {
    ~owned_slab() { slab->abandon(); }
    record_slab* operator->() const { return slab; }
    record_slab* slab = record_slab::create();
};

}  // namespace

TEST_CASE("record_slab: records of every size are aligned to a cache line and fully writable") {
    const owned_slab slab;
    std::vector<std::pair<void*, std::size_t>> all;
    for (const std::size_t bytes :
         {1, 63, 64, 65, 127, 500, 1023, 1024, 1025, 2048, 2049, 100'000, 1'048'576, 3'000'001}) {
        void* const memory = slab->allocate(bytes);
        CHECK(reinterpret_cast<std::uintptr_t>(memory) % 64 == 0);
        std::memset(memory, 0x5a, bytes);
        all.emplace_back(memory, bytes);
    }
    for (const auto& [memory, bytes] : all) slab->deallocate(memory, bytes);
}

TEST_CASE("record_slab: freed records are reused for the same size class") {
    const owned_slab slab;
    void* const first = slab->allocate(300);
    slab->deallocate(first, 300);
    void* const other = slab->allocate(1000);
    CHECK(other != first);
    void* const same = slab->allocate(290);  // same size class as 300
    CHECK(same == first);
    void* const fresh = slab->allocate(300);
    CHECK(fresh != first);
    slab->deallocate(other, 1000);
    slab->deallocate(same, 290);
    slab->deallocate(fresh, 300);
}

TEST_CASE("record_slab: records do not overlap, over random operations") {
    const auto seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937_64 random{seed};
    struct record {
        unsigned char* memory;
        std::size_t bytes;
        unsigned char mark;
    };
    const owned_slab slab;
    std::vector<record> live;
    const auto intact = [](const record& of) {
        for (std::size_t i = 0; i < of.bytes; ++i) {
            if (of.memory[i] != of.mark) return false;
        }
        return true;
    };
    for (int step = 0; step < 5'000; ++step) {
        if (live.size() < 100 && random() % 2 == 0) {
            const std::size_t bytes = 1 + random() % (random() % 20 == 0 ? 50'000 : 1'500);
            auto* const memory = static_cast<unsigned char*>(slab->allocate(bytes));
            const auto mark = static_cast<unsigned char>(random());
            std::memset(memory, mark, bytes);
            live.push_back({memory, bytes, mark});
        } else if (!live.empty()) {
            std::swap(live[random() % live.size()], live.back());
            REQUIRE(intact(live.back()));
            slab->deallocate(live.back().memory, live.back().bytes);
            live.pop_back();
        }
    }
    for (const auto& each : live) {
        CHECK(intact(each));
        slab->deallocate(each.memory, each.bytes);
    }
}

TEST_CASE("record_slab: an abandoned slab lives until its last record is freed") {
    record_slab* const slab = record_slab::create();
    auto* const one = static_cast<char*>(slab->allocate(100));
    auto* const two = static_cast<char*>(slab->allocate(5'000'000));
    slab->abandon();
    std::memset(one, 1, 100);
    slab->deallocate(one, 100);
    std::memset(two, 2, 5'000'000);
    slab->deallocate(two, 5'000'000);
}
