#pragma once

#include <string>

namespace coir::detail {

/// Tells the service manager that has started the program: `READY=1` and its like, by the protocol of sd_notify(3).
/// Nothing where there is none (NOTIFY_SOCKET); where it does not listen, a warning in the log.
void notify_service_manager(const std::string& state);

/// "MONOTONIC_USEC=...", which goes with RELOADING=1: when it began.
std::string monotonic_time();

}  // namespace coir::detail
