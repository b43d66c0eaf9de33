#include <netdb.h>

#include <cerrno>
#include <coir/detail/throw_if.hpp>
#include <coir/net/resolve.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/scheduler.hpp"
#include "sync/thread_pool.hpp"

namespace coir::net {

namespace {

using detail::letter;
using detail::pool_work;
using detail::scheduler;
using detail::thread_pool;
using detail::waiter;

/// A question to the resolver: goes to the pool as work and comes back as a letter. It owns all that it touches and
/// keeps itself alive, so whoever asked may leave before the answer is there.
class question : pool_work, letter {
public:
    question(scheduler& home, std::string_view host, std::string_view service)
        : pool_work{answer}, letter{come_back}, home_{home}, host_{host}, service_{service} {}

    static std::shared_ptr<question> ask(scheduler& home, std::string_view host, std::string_view service) {
        auto asked = std::make_shared<question>(home, host, service);
        asked->alive_ = asked;
        const detail::unwatched queueing{home.running()};
        try {
            thread_pool::of_process().submit(*asked);
        } catch (...) {
            asked->alive_.reset();
            throw;
        }
        return asked;
    }

    /// Parks until the answer is there: true. False when `until` came first. Throws `cancelled`, `scope_expired`.
    bool await(const deadline& until) {
        waiter me{home_.running(), "resolve"};
        asker_ = &me;
        home_.inbox().expect();
        struct leave {
            ~leave() {
                self.home_.inbox().expect_no_more();
                self.asker_ = nullptr;
                self.abandon();
            }
            question& self;
        } const at_end{*this};
        return home_.park(me, until) == detail::outcome::woken;
    }

    [[nodiscard]] const std::error_code& failure() const noexcept { return failure_; }
    [[nodiscard]] std::vector<endpoint> take_answer() noexcept { return std::move(found_); }

private:
    static void answer(pool_work& work) noexcept {  // in a thread of the pool
        auto& self = static_cast<question&>(work);
        const std::shared_ptr<question> alive = self.alive_;
        self.look_up();
        const std::lock_guard lock{self.mutex_};
        if (self.abandoned_)
            self.alive_.reset();
        else
            self.home_.inbox().post(self);
    }

    static void come_back(letter& arrived) noexcept {  // in the hub
        auto& self = static_cast<question&>(arrived);
        const std::shared_ptr<question> alive = std::move(self.alive_);
        if (self.asker_ != nullptr) self.asker_->wake(detail::outcome::woken);
    }

    /// The scheduler may be gone when the answer is found. It is not while this runs, and what has been posted by then
    /// still arrives.
    void abandon() noexcept {
        if (alive_ == nullptr) return;  // the answer has come
        const detail::unwatched queueing{home_.running()};
        if (thread_pool::of_process().withdraw(*this)) {
            alive_.reset();
            return;
        }
        const std::lock_guard lock{mutex_};
        abandoned_ = true;
    }

    void look_up() noexcept try {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;  // or each address is given once for each type of socket
        addrinfo* first = nullptr;
        const int result = ::getaddrinfo(host_.c_str(), service_.c_str(), &hints, &first);
        if (result != 0) {
            failure_ = result == EAI_SYSTEM ? std::error_code{errno, std::system_category()}
                                            : std::error_code{result, resolve_category()};
            return;
        }
        const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> freed{first, &::freeaddrinfo};
        for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
            if (each->ai_family == AF_INET || each->ai_family == AF_INET6)
                found_.emplace_back(each->ai_addr, each->ai_addrlen);
        }
        if (found_.empty()) failure_ = {EAI_NONAME, resolve_category()};
    } catch (const std::bad_alloc&) { failure_ = {EAI_MEMORY, resolve_category()}; }

    scheduler& home_;
    const std::string host_;
    const std::string service_;
    waiter* asker_ = nullptr;
    std::error_code failure_;
    std::vector<endpoint> found_;
    std::mutex mutex_;
    bool abandoned_ = false;
    std::shared_ptr<question> alive_;  // while the pool or the inbox holds on to it
};

class resolver_errors : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "resolve"; }
    [[nodiscard]] std::string message(int code) const override { return ::gai_strerror(code); }
};

/// What needs no resolver. An IPv6 address has to be told from its port.
endpoint numeric(std::string_view host, std::string_view service, std::error_code& ec) {
    const bool v6 = host.find(':') != host.npos;
    std::string text{host};
    if (v6) text = "[" + text + "]";
    return endpoint::parse(text.append(":").append(service), ec);
}

}  // namespace

std::vector<endpoint> resolve(std::string_view host, std::string_view service, deadline until, std::error_code& ec) {
    scheduler& here = scheduler::enter("net::resolve");
    if (const endpoint found = numeric(host, service, ec); !ec) return {found};
    ec.clear();
    if (host.find('\0') != host.npos || service.find('\0') != service.npos) {
        ec = {EAI_NONAME, resolve_category()};
        return {};
    }
    const std::shared_ptr<question> asked = question::ask(here, host, service);
    if (!asked->await(until)) {
        ec = std::make_error_code(std::errc::timed_out);
        return {};
    }
    ec = asked->failure();
    return asked->take_answer();
}

std::vector<endpoint> resolve(std::string_view host, std::string_view service, deadline until) {
    std::error_code ec;
    std::vector<endpoint> found = resolve(host, service, until, ec);
    if (ec)
        detail::throw_error(ec,
                            "net::resolve of host '" + std::string{host} + "' service '" + std::string{service} + "'");
    return found;
}

const std::error_category& resolve_category() noexcept {
    static const resolver_errors category;
    return category;
}

}  // namespace coir::net
