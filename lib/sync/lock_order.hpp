#pragma once

namespace coir::detail {

/// Checks the order in which mutexes are taken. Logs a warning once if mutexes are taken in contradicting orders, even
/// if that has not caused a deadlock yet. Enabled in debug builds of the library and by COIR_LOCKDEP=1, disabled by
/// COIR_LOCKDEP=0. The state belongs to the thread and is kept for one run.
class lock_order {
public:
    /// Set from the environment before main. While it is false, each function here costs one test of it.
    static bool is_checked;

    /// Called before the calling fiber waits for a mutex: that mutex comes after all mutexes that the fiber holds.
    /// `kind` must be a string literal.
    static void wanted(const void* mutex, const char* kind) noexcept {
        if (is_checked) [[unlikely]]
            note_wanted(mutex, kind);
    }

    /// Called when the fiber has taken a mutex with a call that waits if necessary.
    static void taken(const void* mutex, const char* kind) noexcept {
        if (!is_checked) [[likely]]
            return;
        note_wanted(mutex, kind);
        note_taken(mutex, kind);
    }

    /// Called when the fiber has taken a mutex with a call that never waits. This step cannot be part of a deadlock,
    /// but mutexes that are taken after it can.
    static void taken_by_try(const void* mutex, const char* kind) noexcept {
        if (is_checked) [[unlikely]]
            note_taken(mutex, kind);
    }

    static void given_back(const void* mutex) noexcept {
        if (is_checked) [[unlikely]]
            note_given_back(mutex);
    }

    /// Called when a mutex is destroyed: another mutex may get the same address.
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
