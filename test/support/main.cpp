// The main function of every test binary. If a test case hangs, it prints the state of each fiber, and ends the
// process.
#include "core/scheduler.hpp"
#include "support/limits.hpp"

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS  // doctest would install its own alternate signal stack
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <pthread.h>
#include <unistd.h>

namespace {

const char* running_case = "";

/// Not async-signal-safe, but the process hangs anyway and ends here; the output shows why.
void tell_and_abort(int) {
    std::cerr << "\nthis test case hangs: " << running_case;
    if (const auto* scheduler = coir::detail::scheduler::current()) {
        std::cerr << "; its fibers:\n";
        scheduler->dump(std::cerr, {.stacks = true});
    }
    std::cerr << std::endl;
    std::abort();
}

/// COIR_TEST_SIGNALS=100: every 100 us, a signal interrupts whatever a thread does, in this process and in its children
/// of fork(2). Calls that it interrupts fail with EINTR.
void signal_often() {
    const char* const microseconds = std::getenv("COIR_TEST_SIGNALS");
    if (microseconds == nullptr) return;
    static const int number = SIGRTMIN + 3;
    static const long period = std::atol(microseconds) * 1000;
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(number, &action, nullptr);
    constexpr auto begin = [] {
        sigevent event{};
        event.sigev_notify = SIGEV_SIGNAL;
        event.sigev_signo = number;
        timer_t timer{};
        const itimerspec often{{0, period}, {0, period}};
        if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || ::timer_settime(timer, 0, &often, nullptr) != 0)
            std::abort();
    };
    ::pthread_atfork(nullptr, nullptr, begin);
    begin();
}

class hang_listener : public doctest::IReporter {
public:
    explicit hang_listener(const doctest::ContextOptions&) {}

    void test_case_start(const doctest::TestCaseData& begun) override {
        running_case = begun.m_name;
        std::signal(SIGALRM, tell_and_abort);
        ::alarm(coir::test::seconds_until_hung);
    }
    void test_case_end(const doctest::CurrentTestCaseStats&) override { ::alarm(0); }

    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override { signal_often(); }
    void test_run_end(const doctest::TestRunStats&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};

DOCTEST_REGISTER_LISTENER("hang", 1, hang_listener);

}  // namespace
