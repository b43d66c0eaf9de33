#pragma once

namespace coir::detail {

/// The base class of objects in a `list`: holds the links. Not copyable; must be unlinked before it is destroyed.
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

/// A doubly linked ring of objects that are owned elsewhere. It allocates nothing, and an object is unlinked in O(1)
/// without a reference to its list. `T` derives from `list_hook`, and need not be complete where the list is declared.
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

    /// Empties the list without access to the objects, which may no longer exist.
    void forget() noexcept { head_.next = head_.prev = &head_; }

    /// Calls `f` for each object in order. `f` may unlink the object that it is given, but no other.
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
