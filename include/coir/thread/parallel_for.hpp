#pragma once

#include <coir/thread/offload_pool.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <type_traits>

namespace coir {

namespace detail {

/// A body to call for the numbers from 0 to `count` - 1, in pieces.
struct piecework {
    void (*run)(const void* body, std::uint64_t begin, std::uint64_t end);
    const void* body;
    std::uint64_t count;
};

/// Runs on the pool of the process if `pool` is null.
void run_pieces(offload_pool* pool, const piecework& work);

template <class Number, class Body> void run_in_pieces(offload_pool* pool, Number first, Number last, Body& body) {
    // Unsigned, so that intermediate values which do not fit into the type of the numbers do no harm.
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

/// Calls `body(i)` for each number from `first` up to, but not including, `last`. The calls run on up to
/// `available_cores()` threads of the pool of `offload`, while this fiber is suspended and others run. Use it for
/// computations.
///
/// Several threads call the body at the same time, in no order, outside any fiber. The data that the body writes must
/// be separate for each number, or synchronised between threads. The range is divided into 64 pieces for each thread. A
/// thread that has finished a piece takes the next one, so the calls may take different times.
///
/// Returns when all calls have ended. If a call throws, no further pieces begin, and the first exception is thrown once
/// the pieces that have begun have ended, because they use the body. A stop or an expiry of this fiber ends the loop
/// early in the same way, with `cancelled` or `scope_expired`. Throws also what `offload` throws.
///
/// A long computation occupies the threads and delays other work of `offload`. The overload below uses a separate pool.
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

/// As above, but on all threads of `pool`, or on as many as its `queue_limit` permits.
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
