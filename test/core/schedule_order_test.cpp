#include "core/loop/schedule_order.hpp"
#include "core/switch/record_slab.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <vector>

using coir::detail::ready_list;
using coir::detail::record_slab;
using coir::detail::schedule_order;
using coir::detail::task;

namespace {

/// Tasks with the ids 1 to `count`, ready in this order.
class crowd {
public:
    explicit crowd(std::uint64_t count) {
        for (std::uint64_t id = 1; id <= count; ++id) {
            tasks_.push_back(std::make_unique<task>(ready, *slab_));
            tasks_.back()->id = id;
            ready.push(*tasks_.back());
        }
    }
    ~crowd() { slab_->abandon(); }
    crowd(const crowd&) = delete;
    crowd& operator=(const crowd&) = delete;

    [[nodiscard]] std::vector<std::uint64_t> ids() const {
        std::vector<std::uint64_t> found;
        ready.for_each([&](const task& each) { found.push_back(each.id); });
        return found;
    }

    ready_list ready;

private:
    record_slab* slab_ = record_slab::create();
    std::vector<std::unique_ptr<task>> tasks_;
};

void bring(crowd& of, std::uint64_t id) {
    of.ready.bring_to_front([id](const task& each) { return each.id == id; });
}

}  // namespace

TEST_CASE("ready_list: any element can be moved to the front, and the others keep their order") {
    crowd four{4};
    CHECK(four.ready.count() == 4);
    bring(four, 3);
    CHECK(four.ids() == std::vector<std::uint64_t>{3, 1, 2, 4});
    bring(four, 3);
    CHECK(four.ids() == std::vector<std::uint64_t>{3, 1, 2, 4});
    bring(four, 4);
    CHECK(four.ids() == std::vector<std::uint64_t>{4, 3, 1, 2});
    task* const first = four.ready.pop();
    four.ready.push(*first);  // goes behind the last task, which has changed
    CHECK(four.ids() == std::vector<std::uint64_t>{3, 1, 2, 4});
}

TEST_CASE("schedule_order: every ready task is chosen with some seed, and none is lost") {
    std::array<int, 5> chosen{};
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        schedule_order order{seed};
        crowd four{4};
        order.choose(four.ready);
        CHECK(four.ready.count() == 4);
        ++chosen.at(four.ready.front()->id);
    }
    for (std::size_t id = 1; id <= 4; ++id) CHECK(chosen.at(id) > 20);
}

TEST_CASE("schedule_order: simultaneous timers fire in every order") {
    std::array<coir::detail::timer_node, 3> timers{};
    std::array<int, 3> first{};
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        schedule_order order{seed};
        std::vector<coir::detail::timer_node*> due{&timers[0], &timers[1], &timers[2]};
        order.shuffle(due);
        ++first.at(static_cast<std::size_t>(due.front() - timers.data()));
    }
    for (const int count : first) CHECK(count > 50);
}
