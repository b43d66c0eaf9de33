#include "corpus/props.hpp"
#include "corpus/tables.hpp"
#include "support/escape.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <locale>
#include <map>
#include <numeric>
#include <random>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace coir::test {

namespace {

[[gnu::noinline]] void fail(int depth) {
    if (depth == 0) throw std::runtime_error{"on purpose"};
    fail(depth - 1);
    asm volatile("");
}

}  // namespace

table harmless_library() {
    return {
        unseen("malloc and free of much",
               [] {
                   for (const std::size_t size : {100UL, 100'000UL, 10'000'000UL}) {
                       void* const made = std::malloc(size);
                       escape(made);
                       std::free(made);
                   }
               }),
        unseen("touching a MiB of new memory",
               [] {
                   std::vector<char> much(1 << 20, 'x');
                   escape(much.data());
               }),
        unseen("a std::vector that grows",
               [] {
                   std::vector<int> all;
                   for (int i = 0; i < 100'000; ++i) all.push_back(i);
                   escape(all.data());
               }),
        unseen("a std::map of 1,000",
               [] {
                   std::map<int, std::string> all;
                   for (int i = 0; i < 1'000; ++i) all.emplace(i, "some text that is too long to be kept in place");
               }),
        unseen("sorting for some milliseconds",
               [] {
                   std::vector<unsigned> all(20'000);
                   std::ranges::generate(all, std::minstd_rand{1});
                   std::ranges::sort(all);
                   escape(all.data());
               }),
        unseen("a regular expression",
               [] {
                   const std::regex pattern{"(\\w+)@(\\w+)\\.example"};
                   std::smatch found;
                   const std::string text = "write to someone@mail.example, please";
                   std::ignore = std::regex_search(text, found, pattern);
               }),
        unseen("exceptions",
               [] {
                   for (int i = 0; i < 100; ++i) {
                       try {
                           fail(10);
                       } catch (const std::runtime_error&) {
                       }
                   }
               }),
        unseen("formatting into a string",
               [] {
                   std::ostringstream text;
                   for (int i = 0; i < 1000; ++i) text << i << ' ' << 0.5 * i << '\n';
               }),
        unseen("std::random_device", [] { std::ignore = std::random_device{}(); }),
        unseen("local time, and its time zone",
               [](stage&) {
                   const auto tell = [] {
                       const std::time_t now = std::time(nullptr);
                       tm fields{};
                       ::tzset();
                       ::localtime_r(&now, &fields);
                       std::array<char, 64> text{};
                       std::ignore = std::strftime(text.data(), text.size(), "%c %Z", &fields);
                   };
                   tell();  // the first call reads a file
                   return tell;
               }),
        unseen("std::filesystem::exists, file_size and a directory's entries",
               [](stage& on) {
                   auto& place = on.keep<folder>();
                   std::ofstream{place.file("small")} << "line\n";
                   return [&] {
                       std::ignore = std::filesystem::exists(place.path);
                       std::ignore = std::filesystem::file_size(place.file("small"));
                       for (const auto& each : std::filesystem::directory_iterator{place.path})
                           std::ignore = each.path();
                   };
               }),
        unseen("std::ifstream of a small file that was just read",
               [](stage& on) {
                   auto& place = on.keep<folder>();
                   std::ofstream{place.file("small")} << "line\n";
                   return [&] {
                       std::ifstream file{place.file("small")};
                       std::string line;
                       std::getline(file, line);
                   };
               }),
        unseen(
            "std::ofstream of a small file",
            [](stage& on) { return [&place = on.keep<folder>()] { std::ofstream{place.file("small")} << "line\n"; }; }),
        anything("making, renaming and removing a file and a folder", blocking_class::other,
                 [](stage& on) {
                     return [&place = on.keep<folder>()] {
                         const auto here = place.path / "folder";
                         std::filesystem::create_directory(here);
                         std::ofstream{here / "a"}.flush();
                         std::filesystem::rename(here / "a", here / "b");
                         std::filesystem::remove_all(here);
                     };
                 }),
        unseen("a temporary file",
               [] {
                   std::FILE* const file = std::tmpfile();
                   std::fputs("text", file);
                   std::fclose(file);
               }),
        not_blocked("printf to a standard output that is a file",
                    [](stage& on) {
                        std::fflush(stdout);
                        const int before = on.keep<unique_fd>(must(::dup(STDOUT_FILENO))).get();
                        on.finally([before] {
                            std::fflush(stdout);
                            ::dup2(before, STDOUT_FILENO);
                        });
                        must(::dup2(on.keep<unique_fd>(nameless_file()).get(), STDOUT_FILENO));
                        return [] {
                            for (int i = 0; i < 1000; ++i) std::printf("line %d\n", i);
                            std::fflush(stdout);
                        };
                    }),
        unseen("printing to a standard error that is read",
               [](stage& on) {
                   auto& ends = on.keep<two_ends>(pipe_to_write());
                   const int before = on.keep<unique_fd>(must(::dup(STDERR_FILENO))).get();
                   on.finally([before] { ::dup2(before, STDERR_FILENO); });
                   must(::dup2(ends.ours.get(), STDERR_FILENO));
                   return [] { std::cerr << "a line\n"; };
               }),
        unseen("the environment",
               [] {
                   std::ignore = std::getenv("PATH");
                   ::setenv("COIR_CORPUS", "1", 1);
                   ::unsetenv("COIR_CORPUS");
               }),
        unseen("std::thread::hardware_concurrency", [] { std::ignore = std::thread::hardware_concurrency(); }),
        unseen("computing for 20 ms",
               [] {
                   const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{20};
                   while (std::chrono::steady_clock::now() < end) {
                   }
               }),
    };
}

}  // namespace coir::test
