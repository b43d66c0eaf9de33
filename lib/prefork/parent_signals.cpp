#include "prefork/parent_signals.hpp"

#include "base/sys.hpp"

#include <cerrno>
#include <pthread.h>
#include <sys/signalfd.h>
#include <system_error>

namespace coir::detail {

namespace {

/// A handler of the program interrupts ppoll(2) as well.
bool has_handler(int signal) noexcept {
    struct sigaction now {};
    return ::sigaction(signal, nullptr, &now) == 0 && ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL);
}

}  // namespace

parent_signals::parent_signals(with which) {
    sigset_t awaited;
    ::sigemptyset(&awaited);
    for (const int each : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&awaited, each);
    if (which == with::ends_of_children && !has_handler(SIGCHLD)) ::sigaddset(&awaited, SIGCHLD);
    fd_ = unique_fd{::signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!fd_) throw std::system_error{errno, std::system_category(), "prefork: cannot create a signalfd"};
    ::pthread_sigmask(SIG_BLOCK, &awaited, &before_);
}

parent_signals::~parent_signals() {
    // Discards pending signals. Otherwise a late one (a second Ctrl-C) would kill the program once it is unblocked.
    while (take() != 0) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int parent_signals::take() noexcept {
    signalfd_siginfo next{};
    const long got = sys::read(fd_.get(), &next, sizeof next);
    return got == sizeof next ? static_cast<int>(next.ssi_signo) : 0;
}

}  // namespace coir::detail
