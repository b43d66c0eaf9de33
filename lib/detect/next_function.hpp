#pragma once

#include <atomic>

// clang links its sanitizers' interceptors into the program itself, weak as well and first: there only a strong
// definition of a hook wins, and what comes next after the program is not the interceptor.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COIR_INTERCEPTED 1
#endif
#endif

/// Before the definition of a `next_function` in a hook.
#define COIR_BEHIND [[gnu::section("coir_functions_behind"), gnu::used]] static constinit next_function

namespace coir::detail {

/// A program that no dynamic linker has loaded.
[[nodiscard]] bool is_static_program() noexcept;

/// What is the same for the functions behind all hooks. Hidden from other shared libraries: where two that a program is
/// linked with have a coir each, each looks for what comes next after itself, and the search ends. They lie in one
/// section of the program, which makes them an array (the linker sets labels around it): so all can be looked up when
/// the program begins, as dlsym(3) may not be called in a signal handler, and `write` may.
class [[gnu::visibility("hidden")]] any_function_behind {
public:
    /// Reports speak of a call of this.
    [[nodiscard]] const char* called() const noexcept { return called_; }

    virtual void find() noexcept = 0;

protected:
    constexpr any_function_behind(const char* name, const char* called) noexcept : name_{name}, called_{called} {}
    ~any_function_behind() = default;

    /// The next one after the hook; nullptr in a static program.
    [[nodiscard]] void* look_up() const noexcept;

private:
    const char* name_;
    const char* called_;
};

template <class Signature> class next_function;

/// The function that a hook stands before. Aligned to its size, as compilers align static objects as they see fit.
template <class Result, class... Arguments>
class [[gnu::visibility("hidden")]] alignas(64) next_function<Result(Arguments...)> final : public any_function_behind {
public:
    using pointer = Result (*)(Arguments...);

    /// `static_fallback` does the same in a static program.
    constexpr next_function(const char* name, pointer static_fallback) noexcept
        : next_function{name, name, static_fallback} {}
    constexpr next_function(const char* name, const char* called, pointer static_fallback) noexcept
        : any_function_behind{name, called}, static_fallback_{static_fallback} {}

    [[nodiscard]] pointer get() noexcept {
        // Only what runs before the program's own constructors finds it missing.
        if (found_.load(std::memory_order_relaxed) == nullptr) [[unlikely]]
            find();
        return found_.load(std::memory_order_relaxed);
    }

    Result operator()(Arguments... arguments) { return get()(arguments...); }

    void find() noexcept override {
        void* const found = look_up();
        found_.store(found != nullptr ? reinterpret_cast<pointer>(found) : static_fallback_, std::memory_order_relaxed);
    }

private:
    pointer static_fallback_;
    std::atomic<pointer> found_{nullptr};
};

template <class Result, class... Arguments>
next_function(const char*, Result (*)(Arguments...)) -> next_function<Result(Arguments...)>;
template <class Result, class... Arguments>
next_function(const char*, const char*, Result (*)(Arguments...)) -> next_function<Result(Arguments...)>;

}  // namespace coir::detail
