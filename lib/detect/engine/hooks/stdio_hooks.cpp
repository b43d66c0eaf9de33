// With _FORTIFY_SOURCE or optimization the headers of the C library would define some of these functions inline.
#undef _FORTIFY_SOURCE
#if !defined(__NO_INLINE__)
#define __NO_INLINE__ 1
#endif

#include "detect/engine/hooks/stdio_hooks.hpp"

#include "detect/engine/hooks/stdio_fallbacks.hpp"
#include "detect/engine/hooks/watched_function.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdio_ext.h>

// The C library calls its own read(2) and write(2), which no hook sees. So the functions of <cstdio> have hooks, which
// look into the buffer of the FILE (glibc's struct _IO_FILE): a call that the buffer can answer is not observed.

namespace coir::detail {

void link_stdio_hooks() noexcept {}

namespace {

call_model of_input_from(FILE* file) noexcept {
    const int fd = ::fileno_unlocked(file);
    return fd < 0 || is_nonblocking(fd) ? never_sleeps : model_of_read(fd);
}

/// Looks into the buffer of a FILE, under its lock: another thread may use it.
template <class Look> call_model under_lock(FILE* file, Look look) noexcept {
    if (::ftrylockfile(file) != 0) {
        call_model of_lock = if_slept(may_sleep(blocking_class::lock));
        of_lock.call = "pthread_mutex_lock";
        return of_lock;
    }
    const call_model model = look();
    ::funlockfile(file);
    return model;
}

// ---- input ---------------------------------------------------------------------------------------------------------

std::size_t bytes_buffered(const FILE* file) noexcept {
    return static_cast<std::size_t>(file->_IO_read_end - file->_IO_read_ptr);
}

/// Reading `bytes`.
call_model of_reading(FILE* file, std::size_t bytes) noexcept {
    return under_lock(file, [&] { return bytes <= bytes_buffered(file) ? never_sleeps : of_input_from(file); });
}

/// Reading one byte. Most are buffered: then not even the lock is needed, since nothing is read through the pointers.
call_model of_reading_byte(FILE* file) noexcept {
    return bytes_buffered(file) > 0 ? never_sleeps : of_reading(file, 1);
}

/// Reading to the end of a line, or `bytes`.
call_model of_line(FILE* file, std::size_t bytes, int end_of_line = '\n') noexcept {
    return under_lock(file, [&] {
        const std::size_t buffered = bytes_buffered(file);
        const bool has_line = buffered > 0 && std::memchr(file->_IO_read_ptr, end_of_line, buffered) != nullptr;
        return has_line || bytes <= buffered ? never_sleeps : of_input_from(file);
    });
}

/// Reading what a format describes: as long as something is buffered, it may be enough.
call_model of_format(FILE* file) noexcept {
    return under_lock(file, [&] {
        const call_model model = of_input_from(file);
        return bytes_buffered(file) > 0 ? if_slept(model) : model;
    });
}

// ---- output --------------------------------------------------------------------------------------------------------

std::size_t room_for_output(const FILE* file) noexcept {
    const char* const next = std::max(file->_IO_write_ptr, file->_IO_buf_base);
    return static_cast<std::size_t>(file->_IO_buf_end - next);
}

call_model of_output_to(FILE* file) noexcept {
    const int fd = ::fileno_unlocked(file);
    return fd < 0 || is_nonblocking(fd) ? never_sleeps : model_of_write(fd);
}

/// Writing `bytes`. A FILE has no buffer before its first use.
call_model of_writing(FILE* file, const void* from, std::size_t bytes) noexcept {
    if (bytes == 0) return never_sleeps;
    return under_lock(file, [&] {
        const bool is_new = file->_IO_buf_base == nullptr;
        if (is_new && bytes < BUFSIZ) return if_slept(of_output_to(file));
        if (bytes > room_for_output(file)) return of_output_to(file);
        return __flbf(file) != 0 && std::memchr(from, '\n', bytes) != nullptr ? of_output_to(file) : never_sleeps;
    });
}

call_model of_writing_byte(FILE* file, int character) noexcept {
    const bool fits = file->_IO_buf_base != nullptr && __flbf(file) == 0 && room_for_output(file) > 0;
    const char byte = static_cast<char>(character);
    return fits ? never_sleeps : of_writing(file, &byte, 1);
}

/// Writing an unknown number of bytes.
call_model of_printing(FILE* file) noexcept {
    return under_lock(file, [&] { return if_slept(of_output_to(file)); });
}

call_model of_flushing(FILE* file) noexcept {
    if (file == nullptr) return never_sleeps;
    return under_lock(file, [&] { return __fpending(file) == 0 ? never_sleeps : of_output_to(file); });
}

}  // namespace

}  // namespace coir::detail

using namespace coir::detail;

// ---- input ---------------------------------------------------------------------------------------------------------

COIR_HOOK int getc(FILE* file) {
    COIR_NEXT next{"getc", static_fallback::getc};
    return watched(next, [&] { return of_reading_byte(file); })(file);
}

COIR_HOOK int fgetc(FILE* file) {
    COIR_NEXT next{"fgetc", static_fallback::getc};
    return watched(next, [&] { return of_reading_byte(file); })(file);
}

COIR_HOOK int getchar() {
    COIR_NEXT next{"getchar", static_fallback::getchar};
    return watched(next, [] { return of_reading_byte(stdin); })();
}

COIR_HOOK std::size_t fread(void* into, std::size_t bytes, std::size_t count, FILE* file) {
    COIR_NEXT next{"fread", static_fallback::fread};
    return watched(next, [&] { return of_reading(file, bytes * count); })(into, bytes, count, file);
}

COIR_HOOK std::size_t __fread_chk(void* into, std::size_t buffer_bytes, std::size_t bytes, std::size_t count,
                                  FILE* file) {
    COIR_NEXT next{"__fread_chk", "fread", static_fallback::fread_chk};
    return watched(next, [&] { return of_reading(file, bytes * count); })(into, buffer_bytes, bytes, count, file);
}

COIR_HOOK char* fgets(char* into, int bytes, FILE* file) {
    COIR_NEXT next{"fgets", static_fallback::fgets};
    return watched(next, [&] { return of_line(file, static_cast<std::size_t>(std::max(bytes, 1)) - 1); })(into, bytes,
                                                                                                          file);
}

COIR_HOOK char* __fgets_chk(char* into, std::size_t buffer_bytes, int bytes, FILE* file) {
    COIR_NEXT next{"__fgets_chk", "fgets", static_fallback::fgets_chk};
    return watched(next, [&] { return of_line(file, static_cast<std::size_t>(std::max(bytes, 1)) - 1); })(
        into, buffer_bytes, bytes, file);
}

COIR_HOOK ssize_t getline(char** line, std::size_t* bytes, FILE* file) {
    COIR_NEXT next{"getline", static_fallback::getline};
    return watched(next, [&] { return of_line(file, SIZE_MAX); })(line, bytes, file);
}

/// What an optimising compiler makes of getline(3).
COIR_HOOK ssize_t __getdelim(char** line, std::size_t* bytes, int delimiter, FILE* file) {
    COIR_NEXT next{"__getdelim", "getline", static_fallback::getdelim};
    return watched(next, [&] { return of_line(file, SIZE_MAX, delimiter); })(line, bytes, delimiter, file);
}

// The headers give these names to fscanf and scanf, for C99 and later and for C23.

COIR_HOOK int __isoc99_fscanf(FILE* file, const char* format, ...) {
    COIR_NEXT next{"__isoc99_vfscanf", "fscanf", static_fallback::vfscanf};
    va_list arguments;
    va_start(arguments, format);
    const int result = watched(next, [&] { return of_format(file); })(file, format, arguments);
    va_end(arguments);
    return result;
}

COIR_HOOK int __isoc99_scanf(const char* format, ...) {
    COIR_NEXT next{"__isoc99_vfscanf", "scanf", static_fallback::vfscanf};
    va_list arguments;
    va_start(arguments, format);
    const int result = watched(next, [] { return of_format(stdin); })(stdin, format, arguments);
    va_end(arguments);
    return result;
}

COIR_HOOK int __isoc23_fscanf(FILE* file, const char* format, ...) {
    COIR_NEXT next{"__isoc23_vfscanf", "fscanf", static_fallback::vfscanf};
    va_list arguments;
    va_start(arguments, format);
    const int result = watched(next, [&] { return of_format(file); })(file, format, arguments);
    va_end(arguments);
    return result;
}

COIR_HOOK int __isoc23_scanf(const char* format, ...) {
    COIR_NEXT next{"__isoc23_vfscanf", "scanf", static_fallback::vfscanf};
    va_list arguments;
    va_start(arguments, format);
    const int result = watched(next, [] { return of_format(stdin); })(stdin, format, arguments);
    va_end(arguments);
    return result;
}

// ---- output --------------------------------------------------------------------------------------------------------

COIR_HOOK int putc(int character, FILE* file) {
    COIR_NEXT next{"putc", static_fallback::putc};
    return watched(next, [&] { return of_writing_byte(file, character); })(character, file);
}

COIR_HOOK int fputc(int character, FILE* file) {
    COIR_NEXT next{"fputc", static_fallback::putc};
    return watched(next, [&] { return of_writing_byte(file, character); })(character, file);
}

COIR_HOOK int putchar(int character) {
    COIR_NEXT next{"putchar", static_fallback::putchar};
    return watched(next, [&] { return of_writing_byte(stdout, character); })(character);
}

COIR_HOOK std::size_t fwrite(const void* from, std::size_t bytes, std::size_t count, FILE* file) {
    COIR_NEXT next{"fwrite", static_fallback::fwrite};
    return watched(next, [&] { return of_writing(file, from, bytes * count); })(from, bytes, count, file);
}

COIR_HOOK int fputs(const char* text, FILE* file) {
    COIR_NEXT next{"fputs", static_fallback::fputs};
    return watched(next, [&] { return of_writing(file, text, std::strlen(text)); })(text, file);
}

COIR_HOOK int puts(const char* text) {
    COIR_NEXT next{"puts", static_fallback::puts};
    return watched(next, [] { return of_printing(stdout); })(text);
}

COIR_HOOK int fprintf(FILE* file, const char* format, ...) {
    COIR_NEXT next{"vfprintf", "fprintf", static_fallback::vfprintf};
    va_list arguments;
    va_start(arguments, format);
    const int result = watched(next, [&] { return of_printing(file); })(file, format, arguments);
    va_end(arguments);
    return result;
}

COIR_HOOK int printf(const char* format, ...) {
    COIR_NEXT next{"vfprintf", "printf", static_fallback::vfprintf};
    va_list arguments;
    va_start(arguments, format);
    const int result = watched(next, [] { return of_printing(stdout); })(stdout, format, arguments);
    va_end(arguments);
    return result;
}

COIR_HOOK int __fprintf_chk(FILE* file, int flag, const char* format, ...) {
    COIR_NEXT next{"__vfprintf_chk", "fprintf", static_fallback::vfprintf_chk};
    va_list arguments;
    va_start(arguments, format);
    const int result = watched(next, [&] { return of_printing(file); })(file, flag, format, arguments);
    va_end(arguments);
    return result;
}

COIR_HOOK int __printf_chk(int flag, const char* format, ...) {
    COIR_NEXT next{"__vfprintf_chk", "printf", static_fallback::vfprintf_chk};
    va_list arguments;
    va_start(arguments, format);
    const int result = watched(next, [] { return of_printing(stdout); })(stdout, flag, format, arguments);
    va_end(arguments);
    return result;
}

COIR_HOOK int fflush(FILE* file) {
    COIR_NEXT next{"fflush", static_fallback::fflush};
    return watched(next, [&] { return of_flushing(file); })(file);
}

COIR_HOOK void flockfile(FILE* file) noexcept {
    COIR_NEXT next{"flockfile", static_fallback::flockfile};
    return watched(next, [&] { return under_lock(file, [] { return never_sleeps; }); })(file);
}

// ---- opening -------------------------------------------------------------------------------------------------------

COIR_HOOK FILE* fopen(const char* path, const char* mode) {
    COIR_NEXT next{"fopen", static_fallback::fopen};
    return watched(next, [] { return model_of_open(0); })(path, mode);
}

COIR_HOOK FILE* fopen64(const char* path, const char* mode) {
    COIR_NEXT next{"fopen64", "fopen", static_fallback::fopen};
    return watched(next, [] { return model_of_open(0); })(path, mode);
}
