#pragma once

/// All of the core: what needs Boost.Context and nothing else.

#include <coir/barrier.hpp>
#include <coir/blocking.hpp>
#include <coir/buffered_reader.hpp>
#include <coir/channel.hpp>
#include <coir/clock.hpp>
#include <coir/condition_variable.hpp>
#include <coir/deadline.hpp>
#include <coir/dump.hpp>
#include <coir/error.hpp>
#include <coir/event.hpp>
#include <coir/explore.hpp>
#include <coir/fiber.hpp>
#include <coir/fiber_local.hpp>
#include <coir/gather.hpp>
#include <coir/io.hpp>
#include <coir/latch.hpp>
#include <coir/mutex.hpp>
#include <coir/net/endpoint.hpp>
#include <coir/net/resolve.hpp>
#include <coir/net/stream.hpp>
#include <coir/net/tcp.hpp>
#include <coir/net/udp.hpp>
#include <coir/net/unix.hpp>
#include <coir/offload.hpp>
#include <coir/once_flag.hpp>
#include <coir/recursive_mutex.hpp>
#include <coir/run.hpp>
#include <coir/semaphore.hpp>
#include <coir/shared_mutex.hpp>
#include <coir/signal_set.hpp>
#include <coir/task_group.hpp>
#include <coir/this_fiber.hpp>
#include <coir/timeout.hpp>
#include <coir/wait_queue.hpp>
