#include "faults/programs.hpp"

#include "faults/programs/declared.hpp"

namespace coir::faults {

namespace {

constexpr program programs[] = {
    {"fibers", fibers},
    {"synchronization", synchronization},
    {"tcp_echo", tcp_echo},
    {"udp", udp},
    {"unix_sockets", unix_sockets},
#if COIR_FAULTS_TLS
    {"tls", tls, make_certificates},
#endif
    {"files", files},
    {"directory_changes", directory_changes},
    {"processes", processes},
    {"signals", signals},
    {"offloading", offloading},
    {"preforking", preforking},
    {"cores", cores},
    {"blocking_detection", blocking_detection},
};

}  // namespace

std::span<const program> all_programs() { return programs; }

}  // namespace coir::faults
