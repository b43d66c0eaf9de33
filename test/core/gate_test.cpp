#include "core/remote/gate.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <poll.h>
#include <thread>
#include <vector>

using coir::detail::gate;
using coir::detail::inbox;
using coir::detail::message;

namespace {

struct test_message : message {
    test_message() noexcept
        : message{[](message& self) noexcept { static_cast<test_message&>(self).has_arrived = true; }} {}
    bool has_arrived = false;
};

bool is_told(const inbox& box) {
    pollfd asked{box.wakeup_descriptor(), POLLIN, 0};
    return ::poll(&asked, 1, 0) == 1;
}

}  // namespace

TEST_CASE("gate: messages admitted before close arrive, and none is admitted after it") {
    inbox box;
    auto* const entry = new gate{box};
    test_message first;
    test_message late;
    CHECK(entry->is_open());
    CHECK(entry->post(first));
    CHECK_FALSE(box.is_empty());
    entry->close();
    CHECK_FALSE(entry->is_open());
    CHECK_FALSE(entry->post(late));
    box.deliver(1);
    CHECK(box.is_empty());
    CHECK(first.has_arrived);
    CHECK_FALSE(late.has_arrived);
    entry->let_go();
}

TEST_CASE("gate: close returns after every admitted message is in the inbox") {
    for (int round = 0; round < 200; ++round) {
        inbox box;
        auto* const entry = new gate{box};
        std::vector<test_message> messages(64);
        std::atomic<int> let_in{0};
        {
            std::vector<std::jthread> posters;
            for (std::size_t each = 0; each < 2; ++each) {
                posters.emplace_back([&, each] {
                    for (std::size_t i = each; i < messages.size() && entry->post(messages[i]); i += 2) ++let_in;
                });
            }
            while (let_in < 5) std::this_thread::yield();
            entry->close();
            box.deliver(1);
        }
        int arrived = 0;
        for (const test_message& each : messages) arrived += each.has_arrived ? 1 : 0;
        CHECK(arrived == let_in);
        CHECK(box.is_empty());
        entry->let_go();
    }
}

TEST_CASE("gate: the last holder in another thread wakes the hub, and may outlive the scheduler") {
    inbox box;
    auto* const entry = new gate{box};
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
    entry->let_go();  // the scheduler's reference
    std::jthread{[&] { entry->let_go(); }}.join();
}
