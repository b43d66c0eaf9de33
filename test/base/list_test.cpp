#include <coir/detail/base/list.hpp>

#include <doctest/doctest.h>

#include <vector>

namespace {

struct item : coir::detail::list_hook {
    explicit item(int of) : value{of} {}
    int value;
};

using items = coir::detail::list<item>;

std::vector<int> values(const items& of) {
    std::vector<int> found;
    of.for_each([&](item& each) { found.push_back(each.value); });
    return found;
}

}  // namespace

TEST_CASE("list: a new list is empty and has no front") {
    items all;
    CHECK(all.empty());
    CHECK_FALSE(all.has_one());
    CHECK(all.front() == nullptr);
    CHECK(all.pop_front() == nullptr);
}

TEST_CASE("list: objects come out in the order of insertion") {
    item one{1}, two{2}, three{3};
    items all;
    for (item* each : {&one, &two, &three}) all.push_back(*each);
    CHECK(values(all) == std::vector{1, 2, 3});
    CHECK(all.pop_front() == &one);
    CHECK(all.pop_front() == &two);
    CHECK(all.has_one());
    CHECK(all.pop_front() == &three);
    CHECK(all.empty());
}

TEST_CASE("list: an object in the middle can unlink itself without a reference to the list") {
    item one{1}, two{2}, three{3};
    items all;
    for (item* each : {&one, &two, &three}) all.push_back(*each);
    CHECK(two.is_linked());
    two.unlink();
    CHECK_FALSE(two.is_linked());
    CHECK(values(all) == std::vector{1, 3});
    one.unlink();
    three.unlink();
    CHECK(all.empty());
}

TEST_CASE("list: an unlinked object can be inserted again, at the end") {
    item one{1}, two{2};
    items all;
    all.push_back(one);
    all.push_back(two);
    one.unlink();
    all.push_back(one);
    CHECK(values(all) == std::vector{2, 1});
    CHECK(all.pop_front() == &two);
    CHECK(all.pop_front() == &one);
}

TEST_CASE("list: for_each may unlink the current object") {
    item one{1}, two{2}, three{3};
    items all;
    for (item* each : {&one, &two, &three}) all.push_back(*each);
    std::vector<int> seen;
    all.for_each([&](item& each) {
        seen.push_back(each.value);
        each.unlink();
    });
    CHECK(seen == std::vector{1, 2, 3});
    CHECK(all.empty());
}

TEST_CASE("list: an object pushed to the front comes first") {
    item one{1}, two{2}, three{3};
    items all;
    all.push_front(one);
    all.push_front(two);
    all.push_back(three);
    CHECK(values(all) == std::vector{2, 1, 3});
    for (item* each : {&one, &two, &three}) each->unlink();
}
