#pragma once

#include <string>

namespace coir::faults {

std::string fibers(const std::string& folder);
std::string synchronization(const std::string& folder);
std::string tcp_echo(const std::string& folder);
std::string udp(const std::string& folder);
std::string unix_sockets(const std::string& folder);
std::string tls(const std::string& folder);
void make_certificates();
std::string files(const std::string& folder);
std::string directory_changes(const std::string& folder);
std::string processes(const std::string& folder);
std::string signals(const std::string& folder);
std::string offloading(const std::string& folder);
std::string preforking(const std::string& folder);
std::string cores(const std::string& folder);
std::string blocking_detection(const std::string& folder);

}  // namespace coir::faults
