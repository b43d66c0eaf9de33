#include <coir/detail/base/fork_generation.hpp>

#include "base/per_process.hpp"
#include "support/death.hpp"

#include <doctest/doctest.h>

#include <mutex>
#include <stdexcept>

using coir::detail::fork_count;
using coir::detail::per_process;
using coir::test::in_child;

TEST_CASE("per_process: a process has one object") {
    static constinit per_process<int> number;
    CHECK(number.find() == nullptr);
    number.get() = 42;
    CHECK(number.get() == 42);
    CHECK(number.find() == &number.get());
    const auto child = in_child([] {
        if (number.find() != nullptr) throw std::runtime_error{"the parent's"};
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}

TEST_CASE("per_process: a forked process gets a new object, even if the parent holds locks") {
    static constinit per_process<std::mutex> mutex;
    const std::lock_guard lock{mutex.get()};
    const auto child = in_child([] {
        if (!mutex.get().try_lock()) throw std::runtime_error{"locked"};
        std::mutex& own = mutex.get();
        const auto its_child = in_child([&] {
            if (&mutex.get() == &own) throw std::runtime_error{"the same"};
        });
        if (its_child.died()) throw std::runtime_error{its_child.output};
        if (&mutex.get() != &own) throw std::runtime_error{"another one"};
        mutex.get().unlock();
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
}

TEST_CASE("fork_count: changes in a forked process, and stays the same in the parent") {
    const unsigned here = fork_count();
    const auto child = in_child([here] {
        if (fork_count() == here) throw std::runtime_error{"the same"};
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
    CHECK(fork_count() == here);
}
