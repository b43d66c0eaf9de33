#include <coir/detail/base/current_failure.hpp>
#include <coir/error.hpp>

#include <cstdlib>
#include <new>
#include <typeinfo>

namespace coir::detail {

namespace {

bool is_memory_short() noexcept {
    constexpr std::size_t of_an_exception = 512;  // bytes, with a message
    void* const volatile probe = std::malloc(of_an_exception);
    std::free(probe);
    return probe == nullptr;
}

}  // namespace

std::exception_ptr current_failure() noexcept {
    try {
        throw;
    } catch (const std::bad_alloc& failure) {
        if (typeid(failure) == typeid(std::bad_alloc)) return failure_without_memory();
    } catch (...) {
    }
    return is_memory_short() ? failure_without_memory() : std::current_exception();
}

std::exception_ptr failure_of_fiber() noexcept {
    return failure_from([] {
        try {
            throw;
        } catch (const scope_expired&) {
            throw timed_out{"a timeout_scope has expired, and its fiber has not caught coir::scope_expired"};
        }
    });
}

const std::exception_ptr& failure_without_memory() {
    static const auto& shared =
        *new std::exception_ptr{std::make_exception_ptr(std::bad_alloc{})};  // for threads at exit
    return shared;
}

}  // namespace coir::detail
