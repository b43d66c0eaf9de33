// With _FORTIFY_SOURCE the headers of the C library would define some of these functions inline.
#undef _FORTIFY_SOURCE

#include "detect/engine/hooks/stdio_fallbacks.hpp"

#include "detect/engine/hooks/static_fallbacks.hpp"

extern "C" {
// Other names of hooked functions, which glibc exports.
FILE* _IO_fopen(const char* path, const char* mode);
int _IO_getc(FILE* file);
int _IO_putc(int character, FILE* file);
std::size_t _IO_fread(void* into, std::size_t bytes, std::size_t count, FILE* file);
std::size_t _IO_fwrite(const void* from, std::size_t bytes, std::size_t count, FILE* file);
char* _IO_fgets(char* into, int bytes, FILE* file);
int _IO_fputs(const char* text, FILE* file);
int _IO_puts(const char* text);
int _IO_fflush(FILE* file);
void _IO_flockfile(FILE* file) noexcept;
int __vfprintf_chk(FILE* file, int flag, const char* format, va_list arguments);
}

namespace coir::detail::static_fallback {

int getc(FILE* file) { return ::_IO_getc(file); }

int getchar() { return ::_IO_getc(stdin); }

std::size_t fread(void* into, std::size_t bytes, std::size_t count, FILE* file) {
    return ::_IO_fread(into, bytes, count, file);
}

std::size_t fread_chk(void* into, std::size_t buffer_bytes, std::size_t bytes, std::size_t count, FILE* file) {
    check_buffer(bytes * count, buffer_bytes);
    return ::_IO_fread(into, bytes, count, file);
}

char* fgets(char* into, int bytes, FILE* file) { return ::_IO_fgets(into, bytes, file); }

char* fgets_chk(char* into, std::size_t buffer_bytes, int bytes, FILE* file) {
    check_buffer(static_cast<std::size_t>(bytes), buffer_bytes);
    return ::_IO_fgets(into, bytes, file);
}

ssize_t getline(char** line, std::size_t* bytes, FILE* file) {
    return static_fallback::getdelim(line, bytes, '\n', file);
}

// getdelim brings the C library's strong __getdelim into a static program, where it overrides the hook.
ssize_t getdelim(char** line, std::size_t* bytes, int delimiter, FILE* file) {
    return ::getdelim(line, bytes, delimiter, file);
}

int vfscanf(FILE* file, const char* format, va_list arguments) { return ::vfscanf(file, format, arguments); }

int putc(int character, FILE* file) { return ::_IO_putc(character, file); }

int putchar(int character) { return ::_IO_putc(character, stdout); }

std::size_t fwrite(const void* from, std::size_t bytes, std::size_t count, FILE* file) {
    return ::_IO_fwrite(from, bytes, count, file);
}

int fputs(const char* text, FILE* file) { return ::_IO_fputs(text, file); }

int puts(const char* text) { return ::_IO_puts(text); }

int vfprintf(FILE* file, const char* format, va_list arguments) { return ::vfprintf(file, format, arguments); }

int vfprintf_chk(FILE* file, int flag, const char* format, va_list arguments) {
    return ::__vfprintf_chk(file, flag, format, arguments);
}

int fflush(FILE* file) { return ::_IO_fflush(file); }

void flockfile(FILE* file) { ::_IO_flockfile(file); }

FILE* fopen(const char* path, const char* mode) { return ::_IO_fopen(path, mode); }

}  // namespace coir::detail::static_fallback
