#include "core/remote/inbox.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <numeric>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <vector>

using coir::detail::inbox;
using coir::detail::message;

namespace {

struct numbered : message {
    numbered(int of, std::vector<int>& log)
        : message{[](message& self) noexcept {
              auto& here = static_cast<numbered&>(self);
              here.arrived.push_back(here.number);
          }},
          number{of}, arrived{log} {}

    int number;
    std::vector<int>& arrived;
};

bool has_rung(const inbox& of) {
    pollfd asked{of.wakeup_descriptor(), POLLIN, 0};
    return ::poll(&asked, 1, 0) == 1;
}

}  // namespace

TEST_CASE("inbox: messages arrive in the order of posting, once") {
    inbox box;
    std::vector<int> arrived;
    numbered one{1, arrived}, two{2, arrived}, three{3, arrived};
    box.deliver(1);
    box.post(one);
    box.post(two);
    box.post(three);
    CHECK(arrived.empty());
    box.deliver(1);
    CHECK(arrived == std::vector{1, 2, 3});
    box.deliver(1);
    CHECK(arrived.size() == 3);
}

TEST_CASE("inbox: a message may be posted again, also when it arrives") {
    inbox box;
    struct again : message {
        explicit again(inbox& to)
            : message{[](message& self) noexcept {
                  auto& here = static_cast<again&>(self);
                  if (++here.count < 3) here.box.post(here);
              }},
              box{to} {}
        inbox& box;
        int count = 0;
    } repeated{box};
    box.post(repeated);
    for (int i = 0; i < 5; ++i) box.deliver(1);
    CHECK(repeated.count == 3);
}

TEST_CASE("inbox: calls arrive in the order of posting, and only so many as may wait to begin") {
    inbox box;
    std::vector<int> arrived;
    numbered one{1, arrived}, two{2, arrived}, three{3, arrived}, message{4, arrived};
    CHECK(box.is_empty());
    for (numbered* const each : {&one, &two, &three}) box.put_call(*each);
    box.post(message);
    CHECK_FALSE(box.is_empty());
    box.deliver(2);
    CHECK(arrived == std::vector{4, 1, 2});  // messages wake fibers: calls do not delay them
    box.deliver(2);
    CHECK(arrived.size() == 3);
    CHECK_FALSE(box.may_sleep());
    box.awake();
    box.call_has_begun();
    box.deliver(2);
    CHECK(arrived == std::vector{4, 1, 2, 3});
    CHECK(box.is_empty());
    CHECK(box.may_sleep());
    box.put_call(one);
    CHECK(has_rung(box));
    box.awake();
    box.call_has_begun();
    box.deliver(2);
    CHECK(arrived.back() == 1);
}

TEST_CASE("inbox: no call of many threads is lost, and the calls of each thread keep their order") {
    constexpr int threads = 4, each = 20'000;
    inbox box;
    struct counted : message {
        counted()
            : message{[](message& self) noexcept {
                  auto& here = static_cast<counted&>(self);
                  *here.in_order = *here.in_order && here.number == (*here.next)++;
              }} {}
        int number = 0;
        int* next = nullptr;
        bool* in_order = nullptr;
    };
    bool in_order = true;
    std::array<int, threads> next{};
    std::vector<std::vector<counted>> calls;
    for (int i = 0; i < threads; ++i) calls.emplace_back(each);
    std::vector<std::jthread> senders;  // joined also if the start of one fails
    for (int i = 0; i < threads; ++i) {
        senders.emplace_back([&, i] {
            for (int k = 0; k < each; ++k) {
                counted& sent = calls[static_cast<std::size_t>(i)][static_cast<std::size_t>(k)];
                sent.number = k;
                sent.next = &next[static_cast<std::size_t>(i)];
                sent.in_order = &in_order;
                box.put_call(sent);
            }
        });
    }
    int arrived = 0;
    while (arrived < threads * each) {
        box.deliver(7);
        const int now = std::accumulate(next.begin(), next.end(), 0);
        for (; arrived < now; ++arrived) box.call_has_begun();
    }
    for (auto& sender : senders) sender.join();
    CHECK(in_order);
    CHECK(box.is_empty());
}

TEST_CASE("inbox: the wakeup descriptor is written only while the hub sleeps") {
    inbox box;
    std::vector<int> arrived;
    numbered one{1, arrived}, two{2, arrived};
    box.post(one);
    CHECK_FALSE(has_rung(box));
    box.deliver(1);
    CHECK(box.may_sleep());
    box.post(two);
    CHECK(has_rung(box));
    box.awake();
    box.deliver(1);
    CHECK(arrived == std::vector{1, 2});
}

TEST_CASE("inbox: a hub with a message in the inbox must not sleep") {
    inbox box;
    std::vector<int> arrived;
    numbered one{1, arrived};
    box.post(one);
    CHECK_FALSE(box.may_sleep());
    box.awake();
    box.deliver(1);
    CHECK(box.may_sleep());
    box.awake();
}

TEST_CASE("inbox: the hub can be woken without a message, and errno does not change") {
    const inbox box;
    errno = ELOOP;
    box.ring();
    CHECK(errno == ELOOP);
    CHECK(has_rung(box));
}

TEST_CASE("inbox: knows whether another thread still has to send a wake") {
    inbox box;
    CHECK_FALSE(box.expects());
    box.expect();
    box.expect();
    box.expect_no_more();
    CHECK(box.expects());
    box.expect_no_more();
    CHECK_FALSE(box.expects());
}

TEST_CASE("inbox: no posted message is lost, and the messages of each thread keep their order") {
    constexpr int threads = 4, each = 5'000;
    inbox box;
    std::vector<int> arrived;
    std::deque<numbered> messages;
    for (int i = 0; i < threads * each; ++i) messages.emplace_back(i, arrived);
    std::vector<std::thread> senders;
    for (int t = 0; t < threads; ++t) {
        senders.emplace_back([&, t] {
            for (int i = 0; i < each; ++i) box.post(messages[static_cast<std::size_t>(t * each + i)]);
        });
    }
    // As in the hub: sleep on the wakeup descriptor until it is readable.
    while (arrived.size() < messages.size()) {
        if (box.may_sleep()) {
            pollfd wakeup{box.wakeup_descriptor(), POLLIN, 0};
            REQUIRE(::poll(&wakeup, 1, 30'000) == 1);
            std::uint64_t rings = 0;
            REQUIRE(::read(box.wakeup_descriptor(), &rings, sizeof rings) == sizeof rings);
        }
        box.awake();
        box.deliver(1);
    }
    for (auto& sender : senders) sender.join();
    std::vector<int> next(threads, 0);
    bool in_order = true;
    for (const int number : arrived) {
        const auto thread = static_cast<std::size_t>(number / each);
        in_order = in_order && number % each == next[thread]++;
    }
    CHECK(in_order);
    CHECK(arrived.size() == messages.size());
}
