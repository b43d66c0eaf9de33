#pragma once

#include <string>

namespace coir::detail {

/// Sends `state` ("READY=1", "STOPPING=1") to the service manager with the protocol of sd_notify(3). Does nothing
/// without NOTIFY_SOCKET in the environment. Logs a warning when sending fails.
void notify_service_manager(const std::string& state);

/// "MONOTONIC_USEC=..." with the current time. sd_notify(3) requires it along with RELOADING=1.
std::string monotonic_time();

}  // namespace coir::detail
