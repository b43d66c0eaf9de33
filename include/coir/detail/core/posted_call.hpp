#pragma once

#include <coir/detail/core/message.hpp>
#include <coir/detail/core/spawn.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace coir::detail {

/// A call that is under way to another scheduler, where a fiber makes it. Allocated on the heap, together with its
/// closure.
struct posted_call : message {
    posted_call(const closure_ops& how, void (*end)(posted_call&) noexcept, std::string_view called, std::size_t stack)
        : message{begin}, ops{how}, destroy{end}, name{called}, stack_bytes{stack} {}

    const closure_ops& ops;
    void (*destroy)(posted_call&) noexcept;  // destroys call and closure; any thread
    void* closure = nullptr;
    std::string name;
    std::size_t stack_bytes;
    const void* site = nullptr;  // return address in the code that posted the call

private:
    /// Called by the hub: creates the fiber.
    static void begin(message& arrived) noexcept;
    /// Tells the inbox, once.
    void count_begin() noexcept;

    bool has_begun_ = false;
};

template <class F, class... A> struct posted_closure : posted_call {
    template <class... B>
    posted_closure(std::string_view called, std::size_t stack, B&&... parts)
        : posted_call{detail::closure<F, A...>::ops, end, called, stack}, body{std::forward<B>(parts)...} {
        closure = &body;
    }

    static void end(posted_call& self) noexcept { delete static_cast<posted_closure*>(&self); }

    detail::closure<F, A...> body;
};

}  // namespace coir::detail
