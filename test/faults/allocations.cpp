// Memory that can fail. Under a sanitizer, which has an allocator of its own, only operator new can.
#include "base/sanitizers.hpp"
#include "faults/injector.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

using coir::faults::allocation_fails;

#define COIR_CALLER __builtin_return_address(0)

#if defined(COIR_ASAN) || defined(COIR_TSAN)

namespace {

void* allocate(std::size_t bytes, const void* caller) noexcept {
    return allocation_fails(caller) ? nullptr : std::malloc(bytes != 0 ? bytes : 1);
}
void* allocate(std::size_t bytes, std::align_val_t alignment, const void* caller) noexcept {
    const auto unit = static_cast<std::size_t>(alignment);
    return allocation_fails(caller) ? nullptr : std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
}
void* or_throw(void* allocated) {
    if (allocated == nullptr) throw std::bad_alloc{};
    return allocated;
}

}  // namespace

void* operator new(std::size_t bytes) { return or_throw(allocate(bytes, COIR_CALLER)); }
void* operator new[](std::size_t bytes) { return or_throw(allocate(bytes, COIR_CALLER)); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes, COIR_CALLER); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes, COIR_CALLER); }
void* operator new(std::size_t bytes, std::align_val_t unit) { return or_throw(allocate(bytes, unit, COIR_CALLER)); }
void* operator new[](std::size_t bytes, std::align_val_t unit) { return or_throw(allocate(bytes, unit, COIR_CALLER)); }
void operator delete(void* freed) noexcept { std::free(freed); }
void operator delete[](void* freed) noexcept { std::free(freed); }
void operator delete(void* freed, std::size_t) noexcept { std::free(freed); }
void operator delete[](void* freed, std::size_t) noexcept { std::free(freed); }
void operator delete(void* freed, std::align_val_t) noexcept { std::free(freed); }
void operator delete[](void* freed, std::align_val_t) noexcept { std::free(freed); }
void operator delete(void* freed, std::size_t, std::align_val_t) noexcept { std::free(freed); }
void operator delete[](void* freed, std::size_t, std::align_val_t) noexcept { std::free(freed); }

#else

extern "C" {

// glibc's own; its free, and its operator new, which calls malloc, go with these.
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* old, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

static bool fails(const void* caller) noexcept {
    if (!allocation_fails(caller)) return false;
    errno = ENOMEM;
    return true;
}

void* malloc(std::size_t bytes) noexcept { return fails(COIR_CALLER) ? nullptr : __libc_malloc(bytes); }
void* calloc(std::size_t count, std::size_t bytes) noexcept {
    return fails(COIR_CALLER) ? nullptr : __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) noexcept {
    return fails(COIR_CALLER) ? nullptr : __libc_realloc(old, bytes);
}
void* memalign(std::size_t unit, std::size_t bytes) noexcept {
    return fails(COIR_CALLER) ? nullptr : __libc_memalign(unit, bytes);
}
void* aligned_alloc(std::size_t unit, std::size_t bytes) noexcept {
    return fails(COIR_CALLER) ? nullptr : __libc_memalign(unit, bytes);
}
int posix_memalign(void** into, std::size_t unit, std::size_t bytes) noexcept {
    void* const allocated = fails(COIR_CALLER) ? nullptr : __libc_memalign(unit, bytes);
    if (allocated == nullptr) return ENOMEM;
    *into = allocated;
    return 0;
}
}

#endif
