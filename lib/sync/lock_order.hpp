#pragma once

namespace coir::detail {

/// The check of the order in which mutexes are taken: two of them that are taken in both orders are warned of, once,
/// before they ever end in a deadlock. On in Debug builds of the library and with COIR_LOCKDEP=1, off with
/// COIR_LOCKDEP=0. What is known is the thread's, and of one run.
class lock_order {
public:
    /// Read from the environment before main. While it is not set, each call here costs a look at it.
    static bool is_checked;

    /// The calling fiber is about to wait for a mutex: it comes after all that the fiber holds. `kind` is a literal.
    static void wanted(const void* mutex, const char* kind) noexcept {
        if (is_checked) [[unlikely]]
            note_wanted(mutex, kind);
    }

    /// The fiber has it, and has waited or would have.
    static void taken(const void* mutex, const char* kind) noexcept {
        if (!is_checked) [[likely]]
            return;
        note_wanted(mutex, kind);
        note_taken(mutex, kind);
    }

    /// The fiber has it, and would not have waited. That cannot be a part of a deadlock; what comes after it can.
    static void taken_by_try(const void* mutex, const char* kind) noexcept {
        if (is_checked) [[unlikely]]
            note_taken(mutex, kind);
    }

    static void given_back(const void* mutex) noexcept {
        if (is_checked) [[unlikely]]
            note_given_back(mutex);
    }

    /// Its address may be another mutex's from now on.
    static void destroyed(const void* mutex) noexcept {
        if (is_checked) [[unlikely]]
            note_destroyed(mutex);
    }

private:
    static void note_wanted(const void* mutex, const char* kind) noexcept;
    static void note_taken(const void* mutex, const char* kind) noexcept;
    static void note_given_back(const void* mutex) noexcept;
    static void note_destroyed(const void* mutex) noexcept;
};

}  // namespace coir::detail
