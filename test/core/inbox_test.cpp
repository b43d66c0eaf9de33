#include "core/inbox.hpp"

#include <doctest/doctest.h>

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

using coir::detail::inbox;
using coir::detail::letter;

namespace {

struct numbered : letter {
    numbered(int of, std::vector<int>& log)
        : letter{[](letter& self) noexcept {
              auto& here = static_cast<numbered&>(self);
              here.arrived.push_back(here.number);
          }},
          number{of}, arrived{log} {}

    int number;
    std::vector<int>& arrived;
};

bool has_rung(const inbox& of) {
    pollfd asked{of.bell(), POLLIN, 0};
    return ::poll(&asked, 1, 0) == 1;
}

}  // namespace

TEST_CASE("inbox: letters arrive in the order of posting, once") {
    inbox box;
    std::vector<int> arrived;
    numbered one{1, arrived}, two{2, arrived}, three{3, arrived};
    box.deliver();
    box.post(one);
    box.post(two);
    box.post(three);
    CHECK(arrived.empty());
    box.deliver();
    CHECK(arrived == std::vector{1, 2, 3});
    box.deliver();
    CHECK(arrived.size() == 3);
}

TEST_CASE("inbox: a letter may be posted again, also by its own arrival") {
    inbox box;
    struct again : letter {
        explicit again(inbox& to)
            : letter{[](letter& self) noexcept {
                  auto& here = static_cast<again&>(self);
                  if (++here.count < 3) here.box.post(here);
              }},
              box{to} {}
        inbox& box;
        int count = 0;
    } repeated{box};
    box.post(repeated);
    for (int i = 0; i < 5; ++i) box.deliver();
    CHECK(repeated.count == 3);
}

TEST_CASE("inbox: the bell rings only for a hub that sleeps") {
    inbox box;
    std::vector<int> arrived;
    numbered one{1, arrived}, two{2, arrived};
    box.post(one);
    CHECK_FALSE(has_rung(box));
    box.deliver();
    CHECK(box.may_sleep());
    box.post(two);
    CHECK(has_rung(box));
    box.awake();
    box.deliver();
    CHECK(arrived == std::vector{1, 2});
}

TEST_CASE("inbox: a hub with a letter in the box must not sleep") {
    inbox box;
    std::vector<int> arrived;
    numbered one{1, arrived};
    box.post(one);
    CHECK_FALSE(box.may_sleep());
    box.awake();
    box.deliver();
    CHECK(box.may_sleep());
    box.awake();
}

TEST_CASE("inbox: the bell can be rung without a letter, and keeps errno") {
    const inbox box;
    errno = ELOOP;
    box.ring();
    CHECK(errno == ELOOP);
    CHECK(has_rung(box));
}

TEST_CASE("inbox: knows whether someone owes it a wake") {
    inbox box;
    CHECK_FALSE(box.expects());
    box.expect();
    box.expect();
    box.expect_no_more();
    CHECK(box.expects());
    box.expect_no_more();
    CHECK_FALSE(box.expects());
}

TEST_CASE("inbox: nothing that threads post is lost, and each thread's letters keep their order") {
    constexpr int threads = 4, each = 5'000;
    inbox box;
    std::vector<int> arrived;
    std::deque<numbered> letters;
    for (int i = 0; i < threads * each; ++i) letters.emplace_back(i, arrived);
    std::vector<std::thread> senders;
    for (int t = 0; t < threads; ++t) {
        senders.emplace_back([&, t] {
            for (int i = 0; i < each; ++i) box.post(letters[static_cast<std::size_t>(t * each + i)]);
        });
    }
    // As the hub does: sleeps on the bell, which says that something has come.
    while (arrived.size() < letters.size()) {
        if (box.may_sleep()) {
            pollfd bell{box.bell(), POLLIN, 0};
            REQUIRE(::poll(&bell, 1, 30'000) == 1);
            std::uint64_t rings = 0;
            REQUIRE(::read(box.bell(), &rings, sizeof rings) == sizeof rings);
        }
        box.awake();
        box.deliver();
    }
    for (auto& sender : senders) sender.join();
    std::vector<int> next(threads, 0);
    bool in_order = true;
    for (const int number : arrived) {
        const auto thread = static_cast<std::size_t>(number / each);
        in_order = in_order && number % each == next[thread]++;
    }
    CHECK(in_order);
    CHECK(arrived.size() == letters.size());
}
