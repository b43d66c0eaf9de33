#pragma once

#include <coir/thread/offload_pool.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <type_traits>

namespace coir {

namespace detail {

/// A body that is called for the numbers from 0 to `count`, in pieces.
struct piecework {
    void (*run)(const void* body, std::uint64_t begin, std::uint64_t end);
    const void* body;
    std::uint64_t count;
};

/// On the process's pool where `pool` is null.
void run_pieces(offload_pool* pool, const piecework& work);

template <class Number, class Body> void run_in_pieces(offload_pool* pool, Number first, Number last, Body& body) {
    // Unsigned, where what is too large for the type in between does no harm.
    const auto run = [&](std::uint64_t begin, std::uint64_t end) {
        const auto base = static_cast<std::uint64_t>(first);
        for (; begin < end; ++begin) std::invoke(body, static_cast<Number>(base + begin));
    };
    using closure = decltype(run);
    const std::uint64_t count = first < last ? static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) : 0;
    run_pieces(pool, {[](const void* self, std::uint64_t begin, std::uint64_t end) {
                          (*static_cast<closure*>(self))(begin, end);
                      },
                      &run, count});
}

}  // namespace detail

/// Calls `body(i)` for each number from `first` up to, and without, `last`: on threads of the pool of `offload`, as
/// many as there are `available_cores()`, while this fiber is suspended and others run. For what computes.
///
/// The body is called by several threads at the same time, in no order, outside any fiber: what it writes is its own
/// for each number, or guarded as between threads. The range is cut into 64 pieces for each thread, and who is
/// done with one takes the next, so that numbers may take differently long.
///
/// Returns when all is done. When a call throws, no further pieces are begun; what the first one threw comes out once
/// those that were begun have come to an end, as the body is in use until then. A stop or an expiry of this fiber ends
/// it early in the same way, with `cancelled` or `scope_expired`. Throws besides as `offload`.
///
/// A long computation keeps other work waiting for the threads, such as files and names: see the one below.
///
/// @code
/// std::vector<double> roots(1000);
/// coir::parallel_for(0, roots.size(), [&](std::size_t i) { roots[i] = std::sqrt(i); });
/// if (roots[81] != 9) throw std::logic_error{"roots"};
/// @endcode
template <std::integral First, std::integral Last, class Body>
requires std::invocable<Body&, std::common_type_t<First, Last>>
void parallel_for(First first, Last last, Body&& body) {
    detail::run_in_pieces<std::common_type_t<First, Last>>(nullptr, first, last, body);
}

/// As above, on all threads of the pool, or those that its `queue_limit` leaves.
///
/// @code
/// coir::offload_pool pool{{.threads = 2, .name = "computing"}};
/// std::atomic<int> sum = 0;
/// coir::parallel_for(pool, 1, 101, [&](int i) { sum += i; });
/// if (sum != 5050) throw std::logic_error{"sum"};
/// @endcode
template <std::integral First, std::integral Last, class Body>
requires std::invocable<Body&, std::common_type_t<First, Last>>
void parallel_for(offload_pool& pool, First first, Last last, Body&& body) {
    detail::run_in_pieces<std::common_type_t<First, Last>>(&pool, first, last, body);
}

}  // namespace coir
