#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <sys/types.h>

/// @file
/// Static fallbacks (static_fallbacks.hpp) of the functions of <cstdio>.
namespace coir::detail::static_fallback {

int getc(FILE* file);
int getchar();
std::size_t fread(void* into, std::size_t bytes, std::size_t count, FILE* file);
std::size_t fread_chk(void* into, std::size_t buffer_bytes, std::size_t bytes, std::size_t count, FILE* file);
char* fgets(char* into, int bytes, FILE* file);
char* fgets_chk(char* into, std::size_t buffer_bytes, int bytes, FILE* file);
ssize_t getline(char** line, std::size_t* bytes, FILE* file);
ssize_t getdelim(char** line, std::size_t* bytes, int delimiter, FILE* file);
int vfscanf(FILE* file, const char* format, va_list arguments);
int putc(int character, FILE* file);
int putchar(int character);
std::size_t fwrite(const void* from, std::size_t bytes, std::size_t count, FILE* file);
int fputs(const char* text, FILE* file);
int puts(const char* text);
int vfprintf(FILE* file, const char* format, va_list arguments);
int vfprintf_chk(FILE* file, int flag, const char* format, va_list arguments);
int fflush(FILE* file);
void flockfile(FILE* file);
FILE* fopen(const char* path, const char* mode);

}  // namespace coir::detail::static_fallback
