#include "core/door.hpp"

#include <doctest/doctest.h>

#include <poll.h>

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

using coir::detail::door;
using coir::detail::inbox;
using coir::detail::letter;

namespace {

struct parcel : letter {
    parcel() noexcept : letter{[](letter& self) noexcept { static_cast<parcel&>(self).has_arrived = true; }} {}
    bool has_arrived = false;
};

bool is_told(const inbox& box) {
    pollfd asked{box.bell(), POLLIN, 0};
    return ::poll(&asked, 1, 0) == 1;
}

}  // namespace

TEST_CASE("door: what is let in arrives, and once it is closed nothing is let in") {
    inbox box;
    auto* const entry = new door{box};
    parcel first;
    parcel late;
    CHECK(entry->is_open());
    CHECK(entry->post(first));
    CHECK_FALSE(box.is_empty());
    entry->close();
    CHECK_FALSE(entry->is_open());
    CHECK_FALSE(entry->post(late));
    box.deliver();
    CHECK(box.is_empty());
    CHECK(first.has_arrived);
    CHECK_FALSE(late.has_arrived);
    entry->let_go();
}

TEST_CASE("door: when it is closed, whoever was let in has put his letter into the box") {
    for (int round = 0; round < 200; ++round) {
        inbox box;
        auto* const entry = new door{box};
        std::vector<parcel> parcels(64);
        std::atomic<int> let_in{0};
        {
            std::vector<std::jthread> visitors;
            for (std::size_t each = 0; each < 2; ++each) {
                visitors.emplace_back([&, each] {
                    for (std::size_t i = each; i < parcels.size() && entry->post(parcels[i]); i += 2) ++let_in;
                });
            }
            while (let_in < 5) std::this_thread::yield();
            entry->close();
            box.deliver();
        }
        int arrived = 0;
        for (const parcel& each : parcels) arrived += each.has_arrived ? 1 : 0;
        CHECK(arrived == let_in);
        CHECK(box.is_empty());
        entry->let_go();
    }
}

TEST_CASE("door: the last one in another thread that lets go of it rings, and outlives the scheduler without harm") {
    inbox box;
    auto* const entry = new door{box};
    CHECK_FALSE(entry->is_known());
    entry->refer();
    entry->refer();
    CHECK(entry->is_known());
    entry->let_go();
    std::jthread{[&] { entry->let_go(); }}.join();
    CHECK_FALSE(entry->is_known());
    CHECK(is_told(box));

    entry->refer();
    entry->close();
    entry->let_go();  // the scheduler's
    std::jthread{[&] { entry->let_go(); }}.join();
}
