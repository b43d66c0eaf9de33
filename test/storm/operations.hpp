#pragma once

#include "storm/island.hpp"

namespace coir::storm {

// Among the fibers of one scheduler.
void lock(island& here);
void deliver(island& here);
void take_delivery(island& here);
void take_permit(island& here);
void send_value(island& here);
void receive_value(island& here);
void select_value(island& here);
void sleep(island& here);

// Bytes.
void connect_tcp(island& here);
void use_unix_streams(island& here);
void use_pipe(island& here);
void use_files(island& here);

// Other schedulers, other threads, other processes.
void post(island& here);
void visit(island& here);
void await_promise(island& here);
void send_shared_value(island& here);
void receive_shared_value(island& here);
void offload_work(island& here);
void run_program(island& here);

/// The server of an island: receives all that a client sends.
void serve_client(island& here, net::tcp_stream client);

}  // namespace coir::storm
