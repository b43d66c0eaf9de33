#pragma once

namespace coir::detail {

/// What links an object into a `list`: the object derives from it. Never copied, and unlinked before it dies.
struct list_hook {
    list_hook() = default;
    list_hook(const list_hook&) = delete;
    list_hook& operator=(const list_hook&) = delete;

    [[nodiscard]] bool is_linked() const noexcept { return next != nullptr; }

    void unlink() noexcept {
        next->prev = prev;
        prev->next = next;
        next = prev = nullptr;
    }

    list_hook* next = nullptr;
    list_hook* prev = nullptr;
};

/// A doubly linked ring of objects that someone else owns: nothing is allocated, and an object leaves in O(1)
/// without knowing which list it is in. `T` derives from `list_hook`, and needs to be complete only where it is used.
template <class T> class list {
public:
    list() noexcept { head_.next = head_.prev = &head_; }
    ~list() { head_.next = head_.prev = nullptr; }
    list(const list&) = delete;
    list& operator=(const list&) = delete;

    [[nodiscard]] bool empty() const noexcept { return head_.next == &head_; }
    [[nodiscard]] bool has_one() const noexcept { return !empty() && head_.next == head_.prev; }

    [[nodiscard]] T* front() const noexcept { return empty() ? nullptr : static_cast<T*>(head_.next); }

    void push_back(T& object) noexcept {
        list_hook& hook = object;
        hook.prev = head_.prev;
        hook.next = &head_;
        head_.prev->next = &hook;
        head_.prev = &hook;
    }

    void push_front(T& object) noexcept {
        list_hook& hook = object;
        hook.prev = &head_;
        hook.next = head_.next;
        head_.next->prev = &hook;
        head_.next = &hook;
    }

    T* pop_front() noexcept {
        T* first = front();
        if (first != nullptr) static_cast<list_hook*>(first)->unlink();
        return first;
    }

    /// Empties it without a touch to the objects: they may be gone.
    void forget() noexcept { head_.next = head_.prev = &head_; }

    /// Calls `f` for each object in order. `f` may unlink the object that it is given, and no other.
    template <class F> void for_each(F&& f) const {
        for (list_hook* at = head_.next; at != &head_;) {
            list_hook* next = at->next;
            f(*static_cast<T*>(at));
            at = next;
        }
    }

private:
    list_hook head_;
};

}  // namespace coir::detail
