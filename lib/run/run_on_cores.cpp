#include <coir/detail/base/current_failure.hpp>
#include <coir/error.hpp>
#include <coir/fiber.hpp>
#include <coir/sync/select.hpp>
#include <coir/thread/concurrent_channel.hpp>
#include <coir/thread/run_on_cores.hpp>

#include "base/affinity.hpp"
#include "base/clone_refusal.hpp"
#include "core/scheduler.hpp"

#include <exception>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace coir {

namespace {

/// The threads of one `run_on_cores` call and the first exception of any of them.
class crew {
public:
    crew(const run_options& options, const std::function<void(unsigned)>& main) : options_{options}, main_{main} {}

    void start(unsigned n);
    /// Joins all threads and throws the first exception.
    void finish();

private:
    void start_threads(unsigned n);
    void work(unsigned core) noexcept;
    void run_core(unsigned core);
    void fail(std::exception_ptr why) noexcept;

    const run_options& options_;
    const std::function<void(unsigned)>& main_;
    detail::affinity processors_ = detail::affinity::of_process();
    bool bound_ = false;
    concurrent_channel<int> failed_{1};  // closed when a thread has failed; carries no values
    std::mutex mutex_;
    std::exception_ptr failure_;
    std::vector<std::thread> threads_;
};

void crew::start(unsigned n) {
    const unsigned allowed = processors_.count();
    bound_ = n <= allowed && available_cores() >= allowed;
    try {
        start_threads(n);
    } catch (...) {
        fail(detail::current_failure());
    }
}

void crew::start_threads(unsigned n) {
    try {
        for (unsigned core = 0; core < n; ++core) threads_.emplace_back([this, core] { work(core); });
    } catch (const std::system_error& failure) {
        throw std::system_error{failure.code(), "run_on_cores: cannot start thread " +
                                                    std::to_string(threads_.size() + 1) + " of " + std::to_string(n) +
                                                    detail::clone_refusal(failure.code().value())};
    }
}

void crew::finish() {
    for (std::thread& each : threads_) each.join();
    if (failure_ != nullptr) std::rethrow_exception(failure_);
}

void crew::work(unsigned core) noexcept {
    ::pthread_setname_np(::pthread_self(), ("coir-core-" + std::to_string(core)).c_str());
    try {
        if (bound_) processors_.only(core).apply();
        run_core(core);
    } catch (...) {
        fail(detail::current_failure());
    }
}

void crew::run_core(unsigned core) {
    run_options own = options_;
    if (!own.name.empty()) own.name += ' ' + std::to_string(core);
    own.main_stack_size = own.stack_size;  // the first fiber only waits; `body` gets the large stack
    run(own, [this, core] {
        const std::string name = "core " + std::to_string(core);
        auto body = spawn({.name = name, .stack_size = options_.main_stack_size}, [this, core] { main_(core); });
        const bool stopped =
            select(on_done(body, [] { return false; }), on_recv(failed_, [](std::optional<int>) { return true; }));
        if (stopped) body.request_stop();
        try {
            body.get();
        } catch (const fiber_stopped&) {
            if (!stopped) throw;
        }
    });
}

void crew::fail(std::exception_ptr why) noexcept {
    {
        const std::lock_guard lock{mutex_};
        if (failure_ == nullptr) failure_ = std::move(why);
    }
    failed_.close();
}

}  // namespace

void run_on_cores(unsigned n, const std::function<void(unsigned)>& main) { run_on_cores(n, run_options{}, main); }

void run_on_cores(unsigned n, const run_options& options, const std::function<void(unsigned)>& main) {
    if (detail::scheduler::current() != nullptr) {
        throw std::logic_error{"run_on_cores: called in a fiber; call it from main or from a thread without fibers"};
    }
    crew all{options, main};
    all.start(n != 0 ? n : available_cores());
    all.finish();
}

}  // namespace coir
