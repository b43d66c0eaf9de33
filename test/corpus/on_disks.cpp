#include "corpus/props.hpp"
#include "corpus/tables.hpp"

#include <array>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

namespace coir::test {

namespace {

constexpr auto disk = blocking_class::disk;
constexpr std::size_t page = 4096;

/// A file whose content is not yet on the disk.
int fresh_file(stage& on) { return on.keep<unique_fd>(nameless_file()).get(); }

}  // namespace

// A test cannot know how long a disk takes, nor whether the call sleeps at all.
table on_disks() {
    return {
        blocked_or_latent("fsync", disk, {"fsync"}, [](stage& on) { return [fd = fresh_file(on)] { ::fsync(fd); }; }),
        blocked_or_latent("fdatasync", disk, {"fdatasync"},
                          [](stage& on) { return [fd = fresh_file(on)] { ::fdatasync(fd); }; }),
        blocked_or_latent("syncfs", disk, {"syncfs"},
                          [](stage& on) { return [fd = fresh_file(on)] { ::syncfs(fd); }; }),
        blocked_or_latent("sync_file_range", disk, {"sync_file_range"},
                          [](stage& on) {
                              return [fd = fresh_file(on)] {
                                  constexpr unsigned how =
                                      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
                                  ::sync_file_range(fd, 0, 0, how);
                              };
                          }),
        blocked_or_latent("msync", disk, {"msync"},
                          [](stage& on) {
                              const int fd = fresh_file(on);
                              void* const mapped = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                              on.finally([mapped] { ::munmap(mapped, page); });
                              *static_cast<char*>(mapped) = 'x';
                              return [mapped] { ::msync(mapped, page, MS_SYNC); };
                          }),
        anything(
            "write to a file opened with O_SYNC", disk,
            [](stage& on) {
                auto& place = on.keep<folder>();
                const int fd =
                    on.keep<unique_fd>(must(::open(place.file("it").c_str(), O_CREAT | O_WRONLY | O_SYNC, 0600))).get();
                return [fd] { std::ignore = ::write(fd, "x", 1); };
            }),
        anything("read of a file that is not in the page cache", disk,
                 [](stage& on) {
                     const int fd = fresh_file(on);
                     ::fsync(fd);
                     ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
                     return [fd] {
                         std::array<char, page> bytes;
                         std::ignore = ::pread(fd, bytes.data(), bytes.size(), 0);
                     };
                 }),
        anything("sendfile from a file to a file", disk,
                 [](stage& on) {
                     return [from = fresh_file(on), to = fresh_file(on)] {
                         off_t begin = 0;
                         std::ignore = ::sendfile(to, from, &begin, page);
                     };
                 }),
        anything("copy_file_range", disk,
                 [](stage& on) {
                     return [from = fresh_file(on), to = fresh_file(on)] {
                         std::ignore = ::copy_file_range(from, nullptr, to, nullptr, page, 0);
                     };
                 }),
        anything("std::filesystem::copy_file", disk,
                 [](stage& on) {
                     auto& place = on.keep<folder>();
                     std::ofstream{place.file("from")} << std::string(100'000, 'x');
                     return [&] { std::filesystem::copy_file(place.file("from"), place.file("to")); };
                 }),
        anything("posix_fallocate", disk,
                 [](stage& on) { return [fd = fresh_file(on)] { std::ignore = ::posix_fallocate(fd, 0, 1 << 20); }; }),
        anything("dlopen of a library", disk,
                 [](stage& on) {
                     auto& library = on.keep<void*>(nullptr);
                     on.finally([&] {
                         if (library != nullptr) ::dlclose(library);
                     });
                     return [&] { library = ::dlopen("libutil.so.1", RTLD_NOW); };
                 }),
    };
}

}  // namespace coir::test
