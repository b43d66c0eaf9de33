#include <coir/coir.hpp>

#include "support/death.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/seccomp.hpp"
#include "support/temporary_folder.hpp"
#include "support/text.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace coir::test;
using coir::io::file;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

std::string content(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

void put(const std::string& path, std::string_view text) { std::ofstream{path, std::ios::binary} << text; }

std::size_t entries(const temporary_folder& of) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{of.path()}, {}));
}

/// Limits the size of files during its lifetime, as if the disk were full.
class small_disk {
public:
    explicit small_disk(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit small{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &small);
        handler_ = ::signal(SIGXFSZ, SIG_IGN);
    }
    ~small_disk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, handler_);
    }
    small_disk(const small_disk&) = delete;
    small_disk& operator=(const small_disk&) = delete;

private:
    rlimit before_{};
    sighandler_t handler_ = SIG_DFL;
};

}  // namespace

// ---- reading and writing -----------------------------------------------------------------------------------------

TEST_CASE("file: reads and writes at offsets do not change the position") {
    in_scheduler([] {
        const temporary_folder here;
        auto f = file::create(here.file("a"));
        f.write_at(3, bytes_of("defg"));
        f.write_at(0, bytes_of("abc"));
        std::array<std::byte, 3> place;
        CHECK(f.read_at(2, place) == 3);
        CHECK(as_text(place) == "cde");
        CHECK(f.read_at(5, place) == 2);
        CHECK(f.read_at(100, place) == 0);
        CHECK(f.position() == 0);
        CHECK(f.size() == 7);
        CHECK(content(here.file("a")) == "abcdefg");
    });
}

TEST_CASE("file: sequential reads and writes start at the position") {
    in_scheduler([] {
        const temporary_folder here;
        auto f = file::create(here.file("a"));
        f.write_all("one ");
        const std::string two = "two ", three = "three";
        const std::array parts{bytes_of(two), bytes_of(three)};
        f.write_all(parts);
        CHECK(f.position() == 13);
        f.seek(4);
        std::array<std::byte, 100> place;
        CHECK(f.read_exactly(place) == 9);
        CHECK(as_text(std::span{place}.first(9)) == "two three");
        CHECK(f.read_some(place) == 0);
    });
}

TEST_CASE("file: megabytes are read back unchanged") {
    in_scheduler([] {
        const temporary_folder here;
        std::string much;
        for (int i = 0; much.size() < (5 << 20); ++i) much += std::to_string(i);
        auto f = file::create(here.file("a"));
        f.write_at(0, bytes_of(much));
        std::string back(much.size() + 10, ' ');
        CHECK(f.read_at(0, std::as_writable_bytes(std::span{back})) == much.size());
        back.resize(much.size());
        CHECK(back == much);
    });
}

TEST_CASE("file: open reads, create truncates, append writes at the end") {
    in_scheduler([] {
        const temporary_folder here;
        put(here.file("a"), "old");
        auto reading = file::open(here.file("a"));
        std::array<std::byte, 10> place;
        CHECK(reading.read_some(place) == 3);
        CHECK(error_of([&] { reading.write_all("x"); }) == std::errc::bad_file_descriptor);
        auto appending = file::append(here.file("a"));
        appending.write_all(" new");
        put(here.file("a"), content(here.file("a")) + " other");
        appending.write_all(" newer");
        CHECK(content(here.file("a")) == "old new other newer");
        file::create(here.file("a"));
        CHECK(content(here.file("a")).empty());
    });
}

TEST_CASE("file: can be resized and synchronised") {
    in_scheduler([] {
        const temporary_folder here;
        auto f = file::create(here.file("a"));
        f.write_all("abcdef");
        f.resize(2);
        CHECK(content(here.file("a")) == "ab");
        f.resize(3);
        CHECK(f.size() == 3);
        f.sync();
        f.sync_data();
        f.close();
        CHECK_FALSE(f.is_open());
        CHECK(content(here.file("a")) == std::string_view{"ab\0", 3});
    });
}

TEST_CASE("file: while one fiber accesses a file, others run, and may access the same file") {
    in_scheduler([] {
        const temporary_folder here;
        auto f = file::create(here.file("a"));
        f.write_all(std::string(1000, 'x'));
        coir::task_group readers;
        int done = 0;
        for (int i = 0; i < 50; ++i) {
            readers.spawn([&, i] {
                std::array<std::byte, 20> place;
                CHECK(f.read_at(static_cast<std::uint64_t>(20 * i), place) == 20);
                ++done;
            });
        }
        coir::this_fiber::yield();
        CHECK(done == 0);
        readers.wait();
        CHECK(done == 50);
    });
}

// ---- errors -------------------------------------------------------------------------------------------------------

TEST_CASE("file: an error of open names the file and the reason") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string missing = here.file("no/such/file");
        CHECK_THROWS_WITH_AS(file::open(missing), doctest::Contains(("io::file::open '" + missing + "'").c_str()),
                             std::system_error);
        CHECK(error_of([&] { file::open(missing); }) == std::errc::no_such_file_or_directory);
        CHECK(error_of([&] { file::open(here.path()); }) == std::errc::is_a_directory);
        REQUIRE(::mkfifo(here.file("fifo").c_str(), 0600) == 0);
        CHECK(error_of([&] { file::open(here.file("fifo")); }) == std::errc::invalid_argument);
        put(here.file("a"), "");
        CHECK(error_of([&] { file::open(here.file("a"), O_CREAT | O_EXCL); }) == std::errc::file_exists);
        std::error_code ec;
        CHECK_FALSE(file::open(missing, O_RDONLY, 0, coir::never, ec).is_open());
        CHECK(ec == std::errc::no_such_file_or_directory);
    });
}

TEST_CASE("file: calls on a closed file report that it is closed") {
    in_scheduler([] {
        file closed;
        std::array<std::byte, 1> place;
        for (const auto& call : std::vector<std::function<void()>>{
                 [&] { static_cast<void>(closed.read_at(0, place)); }, [&] { closed.write_at(0, place); },
                 [&] { static_cast<void>(closed.read_some(place)); }, [&] { closed.write_all("x"); },
                 [&] { static_cast<void>(closed.size()); }, [&] { closed.resize(1); }, [&] { closed.sync(); },
                 [&] { closed.sync_data(); }, [&] { closed.close(); }}) {
            CHECK(error_of(call) == std::errc::bad_file_descriptor);
        }
        CHECK(closed.native_handle() == -1);
    });
}

TEST_CASE("file: on a full disk, the error names the file, and the number of written bytes is reported") {
    in_scheduler([] {
        const temporary_folder here;
        auto f = file::create(here.file("a"));
        const small_disk full{1000};
        std::error_code ec;
        const std::string much(1500, 'x');
        CHECK(f.write_at(0, bytes_of(much), coir::never, ec) == 1000);
        CHECK(ec == std::errc::file_too_large);
        CHECK_THROWS_WITH_AS(f.write_all(much), doctest::Contains("/a'"), std::system_error);
    });
}

TEST_CASE("file: calls outside a fiber throw, and descriptors are closed on exec") {
    CHECK_THROWS_AS(file::open("/dev/null"), coir::not_in_fiber);
    in_scheduler([] {
        const auto f = file::open("/dev/null");
        CHECK((::fcntl(f.native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
    });
}

TEST_CASE("file: an interrupted call ends at once, and its thread does not access the caller's memory") {
    in_scheduler([] {
        const temporary_folder here;
        auto f = file::create(here.file("a"));
        f.write_all(std::string(1 << 20, 'x'));
        for (int i = 0; i < 50; ++i) {
            auto reader = coir::spawn([&] {
                const auto place = std::make_unique<std::array<std::byte, 1 << 20>>();
                static_cast<void>(f.read_at(0, *place));
            });
            coir::this_fiber::yield();
            reader.request_stop();
            reader.join();
            std::error_code ec;
            std::array<std::byte, 10> place;
            static_cast<void>(f.read_at(0, place, 0ms, ec));
            const bool is_in_time_or_said = !ec || ec == std::errc::timed_out;
            CHECK(is_in_time_or_said);
        }
    });
}

// ---- whole files -------------------------------------------------------------------------------------------------

TEST_CASE("read_file: reads the whole file, also if it reports no size") {
    in_scheduler([] {
        const temporary_folder here;
        put(here.file("empty"), "");
        CHECK(coir::io::read_file(here.file("empty")).empty());
        const std::string much(3 << 20, 'x');
        put(here.file("a"), much);
        CHECK(coir::io::read_file(here.file("a")) == much);
        CHECK(coir::io::read_file("/proc/self/status").find("Name:") == 0);
        CHECK_THROWS_WITH_AS(static_cast<void>(coir::io::read_file(here.file("none"))), doctest::Contains("none'"),
                             std::system_error);
    });
}

TEST_CASE("replace_file: the file has the old content until the new one is complete, and keeps its permissions") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string path = here.file("a");
        const mode_t mask = ::umask(027);
        coir::io::replace_file(path, "first");
        ::umask(mask);
        CHECK(content(path) == "first");
        struct stat about {};
        REQUIRE(::stat(path.c_str(), &about) == 0);
        CHECK((about.st_mode & 0777) == 0640);
        REQUIRE(::chmod(path.c_str(), 0604) == 0);
        std::ifstream opened_before{path};
        coir::io::replace_file(path, "second");
        CHECK(content(path) == "second");
        std::string old;
        std::getline(opened_before, old);
        CHECK(old == "first");
        REQUIRE(::stat(path.c_str(), &about) == 0);
        CHECK((about.st_mode & 0777) == 0604);
        CHECK(entries(here) == 1);
    });
}

TEST_CASE("replace_file: the new file is never open to more people than the old one") {
    const temporary_folder here;
    const std::string path = here.file("a");
    put(path, "old");
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    const auto child = in_child([&] {
        ::umask(0);
        constexpr unsigned does_nothing = SECCOMP_RET_ERRNO | 0;
        filter_system_call(SYS_fchmod, -1, does_nothing);  // so that the file keeps the mode that it was created with
        in_scheduler([&] { coir::io::replace_file(path, "new"); });
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
    CHECK(content(path) == "new");
    struct stat about {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
}

TEST_CASE("replace_file: a group that is not the old one gets no more rights than other users") {
    if (::geteuid() != 0) return;
    const temporary_folder here;
    REQUIRE(::chmod(here.path().c_str(), 0777) == 0);
    const std::string path = here.file("a");
    put(path, "old");
    REQUIRE(::chmod(path.c_str(), 0664) == 0);
    const auto child = in_child([&] {
        constexpr uid_t nobody = 65534;
        if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
            ::setresuid(nobody, nobody, nobody) != 0)
            return;
        in_scheduler([&] { coir::io::replace_file(path, "new"); });
    });
    INFO(child.output);
    CHECK_FALSE(child.died());
    struct stat about {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    CHECK(content(path) == "new");
    CHECK((about.st_mode & 0777) == 0644);
}

TEST_CASE("replace_file: on a full disk or without permission, the old content remains and no temporary "
          "file is left") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string path = here.file("a");
        coir::io::replace_file(path, "old");
        {
            const small_disk full{1000};
            CHECK(error_of([&] { coir::io::replace_file(path, std::string(5000, 'x')); }) == std::errc::file_too_large);
        }
        CHECK(content(path) == "old");
        CHECK(entries(here) == 1);
        CHECK(error_of([&] { coir::io::replace_file(here.file("no/folder"), "x"); }) ==
              std::errc::no_such_file_or_directory);
        CHECK(error_of([&] { coir::io::replace_file(here.path(), "x"); }) == std::errc::is_a_directory);
        CHECK(entries(here) == 1);
    });
}

TEST_CASE("replace_file: a symbolic link remains, and its target is replaced") {
    in_scheduler([] {
        const temporary_folder here;
        put(here.file("target"), "old");
        std::filesystem::create_symlink("target", here.file("link"));
        coir::io::replace_file(here.file("link"), "new");
        CHECK(std::filesystem::is_symlink(here.file("link")));
        CHECK(content(here.file("target")) == "new");
    });
}

TEST_CASE("replace_file: readers see either the old or the new content, complete") {
    in_scheduler([] {
        const temporary_folder here;
        const std::string path = here.file("a");
        const std::string a(20'000, 'a'), b(30'000, 'b');
        coir::io::replace_file(path, a);
        auto writer = coir::spawn([&] {
            for (int i = 0; i < 30; ++i) coir::io::replace_file(path, i % 2 == 0 ? b : a);
        });
        while (!writer.done()) {
            const std::string seen = coir::io::read_file(path);
            const bool is_whole = seen == a || seen == b;
            CHECK(is_whole);
        }
        writer.get();
    });
}
