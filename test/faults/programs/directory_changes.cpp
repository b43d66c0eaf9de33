// Changes of a directory; pipes and descriptors of the program.
#include <coir/coir.hpp>
#include <coir/io/directory_watch.hpp>
#include <coir/io/file.hpp>

#include "faults/programs/declared.hpp"
#include "support/text.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <fcntl.h>
#include <span>
#include <string>
#include <unistd.h>

using namespace std::chrono_literals;

namespace coir::faults {

namespace {

std::string of_a_directory(const std::string& folder) {
    io::directory_watch watch{folder};
    std::string seen;
    task_group group;
    group.spawn([&] {
        for (io::directory_change change = watch.next();; change = watch.next()) {
            if (change.name != "settings") continue;
            if (change.what == io::directory_change::kind::moved_here) seen += "moved here";
            if (change.what == io::directory_change::kind::written) seen += ", written";
            if (change.what == io::directory_change::kind::written) return;
        }
    });
    group.spawn([&] {
        io::replace_file(folder + "/settings", "on");
        io::file::append(folder + "/settings").write_all(", off");
    });
    group.wait();
    return seen;
}

/// Descriptors that coir does not own.
std::string of_the_program() {
    auto [reader, writer] = io::pipe();
    const int from = reader.native_handle();
    const int to = writer.native_handle();
    std::string seen;
    task_group group;
    group.spawn([&] {
        io::wait_readable(from);
        std::array<std::byte, 5> text;
        seen = test::as_text(std::span{text}.first(io::read_exactly(from, text)));
    });
    group.spawn([&] {
        this_fiber::yield();
        io::wait_writable(to);
        io::write_all(to, "hello");
    });
    group.wait();
    return seen;
}

}  // namespace

std::string directory_changes(const std::string& folder) {
    return run([&] { return of_a_directory(folder) + ", " + of_the_program(); });
}

}  // namespace coir::faults
