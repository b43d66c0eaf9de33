#pragma once

#include <boost/context/stack_context.hpp>

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace coir::detail {

/// Holds a copy of any Boost.Context StackAllocator, or none.
class any_stack_allocator {
public:
    any_stack_allocator() = default;

    template <class Allocator>
    requires(!std::same_as<std::remove_cvref_t<Allocator>, any_stack_allocator>) &&
        requires(Allocator& allocator, boost::context::stack_context& stack) {
        { allocator.allocate() } -> std::same_as<boost::context::stack_context>;
        allocator.deallocate(stack);
    }
    any_stack_allocator(Allocator allocator)
        : state_{std::make_shared<Allocator>(std::move(allocator))}, allocate_{[](void* state) {
              return static_cast<Allocator*>(state)->allocate();
          }},
          deallocate_{[](void* state, boost::context::stack_context& stack) noexcept {
              static_cast<Allocator*>(state)->deallocate(stack);
          }} {}

    explicit operator bool() const noexcept { return state_ != nullptr; }
    boost::context::stack_context allocate() const { return allocate_(state_.get()); }
    void deallocate(boost::context::stack_context& stack) const noexcept { deallocate_(state_.get(), stack); }

private:
    std::shared_ptr<void> state_;
    boost::context::stack_context (*allocate_)(void*) = nullptr;
    void (*deallocate_)(void*, boost::context::stack_context&) noexcept = nullptr;
};

}  // namespace coir::detail
