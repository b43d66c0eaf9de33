#include <coir/coir.hpp>

#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"
#include "support/text.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace coir::test;
using coir::io::file;

namespace {

/// A file in the current folder: the one for temporary files may be a tmpfs, which accepts any offset.
struct direct_file {
    direct_file() {
        const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
        is_supported = fd >= 0;
        ::close(fd);
    }
    ~direct_file() { ::unlink(path.c_str()); }
    direct_file(const direct_file&) = delete;
    direct_file& operator=(const direct_file&) = delete;

    [[nodiscard]] std::string content() const {
        std::ifstream in{path, std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    void put(const std::string& text) const { std::ofstream{path, std::ios::binary} << text; }

    std::string path = "direct-file-test-" + std::to_string(::getpid());
    bool is_supported = false;
};

std::span<const std::byte> bytes_in(const std::string& text) { return std::as_bytes(std::span{text}); }

std::string random_text(std::size_t bytes, unsigned seed = 1) {
    std::minstd_rand next{seed};
    std::string text(bytes, ' ');
    std::ranges::generate(text, [&] { return static_cast<char>('a' + next() % 26); });
    return text;
}

/// Offsets and sizes around those of blocks.
constexpr std::array offsets{0UL, 1UL, 512UL, 4095UL, 4096UL, 12'345UL};
constexpr std::array sizes{1UL, 512UL, 513UL, 4096UL, 5000UL, 1'100'000UL};

}  // namespace

TEST_CASE("file with O_DIRECT: is read from any offset, in any size") {
    const direct_file at;
    if (!at.is_supported) return;
    const std::string whole = random_text(1'110'000);
    at.put(whole);
    in_scheduler([&] {
        auto f = file::open(at.path, O_RDONLY | O_DIRECT);
        std::string read;
        for (const std::size_t offset : offsets) {
            for (const std::size_t size : sizes) {
                CAPTURE(offset);
                CAPTURE(size);
                read.assign(size, ' ');
                const std::string expected = whole.substr(offset, size);
                CHECK(f.read_at(offset, std::as_writable_bytes(std::span{read})) == expected.size());
                CHECK(read.substr(0, expected.size()) == expected);
            }
        }
        for (const std::size_t offset : {whole.size() - 1, whole.size(), whole.size() + 1, whole.size() + 10'000}) {
            const std::size_t left = offset < whole.size() ? whole.size() - offset : 0;
            read.assign(5000, ' ');
            CHECK(f.read_at(offset, std::as_writable_bytes(std::span{read})) == left);
        }
    });
}

TEST_CASE("file with O_DIRECT: is written at any offset, in any size") {
    const direct_file at;
    if (!at.is_supported) return;
    std::string expected = random_text(1'200'000);
    at.put(expected);
    in_scheduler([&] {
        for (const int access : {O_RDWR, O_WRONLY}) {
            auto f = file::open(at.path, access | O_DIRECT);
            unsigned seed = 2;
            for (const std::size_t offset : offsets) {
                for (const std::size_t size : sizes) {
                    const std::string text = random_text(size, ++seed);
                    f.write_at(offset, bytes_in(text));
                    expected.replace(offset, size, text);
                }
            }
            f.sync();
            f.close();
            CHECK(at.content() == expected);
        }
    });
}

TEST_CASE("file with O_DIRECT: written and read as a stream, with a size that is no multiple of a block") {
    const direct_file at;
    if (!at.is_supported) return;
    in_scheduler([&] {
        const std::string text = random_text(2'345'678);
        auto f = file::open(at.path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT);
        f.write_all(std::string_view{text}.substr(0, 100));
        f.write_all(std::string_view{text}.substr(100));
        CHECK(f.size() == text.size());
        f.seek(0);
        std::string read(text.size() + 5, ' ');
        CHECK(f.read_exactly(std::as_writable_bytes(std::span{read})) == text.size());
        CHECK(read.substr(0, text.size()) == text);
        CHECK(coir::io::read_file(at.path) == text);
        f.resize(1000);
        f.sync_data();
        CHECK(at.content() == text.substr(0, 1000));
    });
}

TEST_CASE("file with O_DIRECT: each write with O_APPEND goes to the end") {
    const direct_file at;
    if (!at.is_supported) return;
    in_scheduler([&] {
        auto f = file::open(at.path, O_WRONLY | O_APPEND | O_DIRECT);
        std::string expected;
        for (const std::size_t size : {100UL, 4096UL, 3996UL, 8192UL, 1UL}) {
            const std::string text = random_text(size);
            f.write_at(0, bytes_in(text));
            expected += text;
        }
        CHECK(at.content() == expected);
    });
}

TEST_CASE("file with O_DIRECT: the flag may be set later, and replacing the file does not disturb its readers") {
    const direct_file at;
    if (!at.is_supported) return;
    in_scheduler([&] {
        const std::string text = random_text(10'000), newer = random_text(5000, 9);
        at.put(text);
        auto f = file::open(at.path, O_RDWR);
        REQUIRE(::fcntl(f.native_handle(), F_SETFL, O_DIRECT) == 0);
        coir::io::replace_file(at.path, newer);
        std::string read(10'000, ' ');
        CHECK(f.read_at(0, std::as_writable_bytes(std::span{read})) == 10'000);
        CHECK(read == text);
        CHECK(coir::io::read_file(at.path) == newer);
    });
}

TEST_CASE("file with O_DIRECT: is copied to files, pipes and slow connections") {
    const direct_file at;
    if (!at.is_supported) return;
    in_scheduler([&] {
        const std::string text = random_text(1'234'567);
        at.put(text);
        const temporary_folder here;
        auto from = file::open(at.path, O_RDONLY | O_DIRECT);
        auto to = file::create(here.file("copy"));
        CHECK(coir::io::copy(from, to) == text.size());
        CHECK(coir::io::read_file(here.file("copy")) == text);

        auto back = file::open(at.path, O_WRONLY | O_TRUNC | O_DIRECT);
        to.seek(0);
        CHECK(coir::io::copy(to, back) == text.size());
        CHECK(at.content() == text);

        auto listener = coir::net::tcp_listener::bind({"127.0.0.1", 0});
        auto near = coir::net::tcp_stream::connect(listener.local_endpoint());
        auto far = listener.accept();
        near.set_send_buffer(10'000);  // sendfile(2) stops in the middle of blocks
        from.seek(0);
        auto sending = coir::spawn([&] {
            const auto copied = coir::io::copy(from, near);
            near.shutdown();
            return copied;
        });
        CHECK(read_all(far) == text);
        CHECK(sending.get() == text.size());
    });
}

TEST_CASE("file with O_DIRECT: a write of an incomplete block keeps the locks of the process") {
    const direct_file at;
    if (!at.is_supported) return;
    in_scheduler([&] {
        auto f = file::open(at.path, O_RDWR | O_DIRECT);
        struct flock lock {};
        lock.l_type = F_WRLCK;
        REQUIRE(::fcntl(f.native_handle(), F_SETLK, &lock) == 0);
        f.write_at(3, bytes_in("incomplete"));
        f.write_at(7, bytes_in("incomplete"));
        const pid_t other = ::fork();
        if (other == 0) {
            ::fcntl(f.native_handle(), F_GETLK, &lock);
            ::_exit(lock.l_type == F_WRLCK ? 0 : 1);
        }
        int status = -1;
        const coir::allow_blocking permit{"the child ends at once"};
        CHECK(::waitpid(other, &status, 0) == other);
        CHECK(status == 0);
    });
}
