#pragma once

#include <atomic>

// clang links the interceptors of its sanitizers into the program, as weak functions before the hooks. There a hook
// must be a strong definition to take effect, and the interceptor must be found by its own name, since it is not the
// next function.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COIR_INTERCEPTED 1
#endif
#endif

/// Begins the definition of a `next_function` in a hook.
#define COIR_NEXT [[gnu::section("coir_next_functions"), gnu::used]] static constinit next_function

namespace coir::detail {

/// Whether the program was not loaded by a dynamic linker.
[[nodiscard]] bool is_static_program() noexcept;

/// Base of all `next_function` objects. Hidden from other shared libraries: if two libraries contain a coir each, each
/// must search for the next function after itself, or the calls would never end. All objects are in one section, which
/// makes them an array between two symbols that the linker defines. So all are looked up at program start. A look-up at
/// the first call would be too late: `write` may be called in a signal handler, dlsym(3) must not.
class [[gnu::visibility("hidden")]] any_next_function {
public:
    /// The function name to use in reports.
    [[nodiscard]] const char* reported_name() const noexcept { return reported_name_; }

    virtual void find() noexcept = 0;

protected:
    constexpr any_next_function(const char* name, const char* reported_name, const char* version) noexcept
        : name_{name}, reported_name_{reported_name}, version_{version} {}
    ~any_next_function() = default;

    /// The next function after the hook in the search order of the dynamic linker; nullptr in a static program.
    [[nodiscard]] void* look_up() const noexcept;

private:
    const char* name_;
    const char* reported_name_;
    const char* version_;
};

template <class Signature> class next_function;

/// The function that a hook replaces and calls. Aligned to its size, so that the objects in the section have no gaps.
template <class Result, class... Arguments>
class [[gnu::visibility("hidden")]] alignas(64) next_function<Result(Arguments...)> final : public any_next_function {
public:
    using pointer = Result (*)(Arguments...);

    /// `static_fallback` is called in a static program.
    constexpr next_function(const char* name, pointer static_fallback) noexcept
        : next_function{name, name, static_fallback} {}
    constexpr next_function(const char* name, const char* reported_name, pointer static_fallback) noexcept
        : any_next_function{name, reported_name, nullptr}, static_fallback_{static_fallback} {}
    /// `version` is the function's default version in the C library, where dlsym(3) may find an older one.
    constexpr next_function(const char* name, pointer static_fallback, const char* version) noexcept
        : any_next_function{name, name, version}, static_fallback_{static_fallback} {}
    /// `early` is called before the constructors of the program have run. No function is looked up then.
    constexpr next_function(const char* name, pointer static_fallback, pointer early) noexcept
        : any_next_function{name, name, nullptr}, static_fallback_{static_fallback}, found_{early} {}

    [[nodiscard]] pointer get() noexcept {
        // Null only before the constructors of the program have run.
        if (found_.load(std::memory_order_relaxed) == nullptr) [[unlikely]]
            find();
        return found_.load(std::memory_order_relaxed);
    }

    Result operator()(Arguments... arguments) { return get()(arguments...); }

    [[gnu::noinline, gnu::cold]] void find() noexcept override {
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
template <class Result, class... Arguments>
next_function(const char*, Result (*)(Arguments...), const char*) -> next_function<Result(Arguments...)>;
template <class Result, class... Arguments>
next_function(const char*, Result (*)(Arguments...), Result (*)(Arguments...)) -> next_function<Result(Arguments...)>;

}  // namespace coir::detail
