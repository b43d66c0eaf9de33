#include <coir/coir.hpp>

#include "base/unique_fd.hpp"
#include "support/error_of.hpp"
#include "support/in_scheduler.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace coir::test;
using namespace std::string_literals;
using coir::environment;
using coir::process;
using coir::process_options;
using coir::redirection;
using coir::run_process;

namespace {

/// The output of a process started with these arguments and options.
std::string output_of(std::vector<std::string> arguments, process_options options = {}) {
    const coir::process_result result = run_process(std::move(arguments), {}, std::move(options));
    CHECK_MESSAGE(result.status.success(), result.error);
    return result.output;
}

void write_program(const std::string& path, const std::string& text, mode_t mode = 0755) {
    std::ofstream{path} << text;
    REQUIRE(::chmod(path.c_str(), mode) == 0);
}

std::errc failure_of(std::vector<std::string> arguments, process_options options = {}) {
    return error_of([&] { static_cast<void>(process::spawn(std::move(arguments), std::move(options))); });
}

/// The message of the error when it is started this way.
std::string words_of(std::vector<std::string> arguments, process_options options = {}) {
    try {
        static_cast<void>(process::spawn(std::move(arguments), std::move(options)));
    } catch (const std::system_error& thrown) {
        return thrown.what();
    }
    return "";
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A signal set from /proc/self/status of a process that is started now.
unsigned long long signals_of_child(const std::string& name) {
    const std::string line = output_of({"grep", name, "/proc/self/status"});
    return std::stoull(line.substr(line.find(':') + 1), nullptr, 16);
}

constexpr unsigned long long bit_of(int signal) { return 1ULL << (signal - 1); }

/// Sets a signal's disposition during its lifetime, and restores the previous one.
class temporary_disposition {
public:
    temporary_disposition(int signal, sighandler_t now) : signal_{signal}, before_{::signal(signal, now)} {}
    ~temporary_disposition() { ::signal(signal_, before_); }
    temporary_disposition(const temporary_disposition&) = delete;
    temporary_disposition& operator=(const temporary_disposition&) = delete;

private:
    int signal_;
    sighandler_t before_;
};

}  // namespace

// ---- arguments and the program -------------------------------------------------------------------------------------

TEST_CASE("process start: arguments are passed unchanged, without a shell") {
    in_scheduler([] {
        CHECK(output_of({"printf", "%s|", "a b", "", "$HOME", "*", "\"'\\", "\xc3\xa4"}) ==
              "a b||$HOME|*|\"'\\|\xc3\xa4|");
    });
}

TEST_CASE("process start: the program is searched in the PATH of the new process") {
    const temporary_folder folder;
    write_program(folder.file("coir-hello"), "#!/bin/sh\necho hello from $0\n");
    in_scheduler([&] {
        const std::string hello = "hello from " + folder.file("coir-hello") + "\n";
        CHECK(output_of({"coir-hello"}, {.environment = {{"PATH", "/nowhere:" + folder.path().native()}}}) == hello);
        CHECK(failure_of({"coir-hello"}) == std::errc::no_such_file_or_directory);
        CHECK(output_of({folder.file("coir-hello")}) == hello);
        CHECK(output_of({"echo", "found"}, {.environment = {}}) == "found\n");  // without PATH
    });
}

TEST_CASE("process start: relative paths are relative to the working directory of the process") {
    const temporary_folder folder;
    std::filesystem::create_directory(folder.file("bin"));
    write_program(folder.file("bin/coir-hello"), "#!/bin/sh\necho hello\n");
    in_scheduler([&] {
        CHECK(output_of({"bin/coir-hello"}, {.working_directory = folder.path()}) == "hello\n");
        CHECK(output_of({"coir-hello"}, {.environment = {{"PATH", "bin"}}, .working_directory = folder.path()}) ==
              "hello\n");
        CHECK(output_of({"coir-hello"}, {.environment = {{"PATH", ""}}, .working_directory = folder.file("bin")}) ==
              "hello\n");
    });
}

TEST_CASE("process start: a missing or non-executable program is an error that names it") {
    const temporary_folder folder;
    write_program(folder.file("plain"), "#!/bin/sh\n", 0644);
    write_program(folder.file("garbage"), "\x01\x02\x03");
    in_scheduler([&] {
        CHECK(failure_of({"coir-no-such-program"}) == std::errc::no_such_file_or_directory);
        CHECK(failure_of({"/nowhere/program"}) == std::errc::no_such_file_or_directory);
        CHECK(failure_of({folder.file("plain")}) == std::errc::permission_denied);
        CHECK(failure_of({"plain"}, {.environment = {{"PATH", folder.path().native() + ":/nowhere"}}}) ==
              std::errc::permission_denied);
        CHECK(failure_of({folder.path()}) == std::errc::permission_denied);
        CHECK(failure_of({folder.file("garbage")}) == std::errc::executable_format_error);
        CHECK(says(words_of({"coir-no-such-program"}), "process::spawn 'coir-no-such-program'"));
    });
}

TEST_CASE("process start: a non-executable file of that name in PATH does not hide an executable one") {
    const temporary_folder folder;
    std::filesystem::create_directory(folder.file("true"));
    in_scheduler([&] {
        process_options options;
        options.environment.set("PATH", folder.path().native() + ":/bin:/usr/bin");
        CHECK(process::spawn({"true"}, options).wait().success());
    });
}

TEST_CASE("process start: an empty command, and NUL characters, are refused") {
    in_scheduler([] {
        CHECK(failure_of({}) == std::errc::invalid_argument);
        CHECK(failure_of({""}) == std::errc::invalid_argument);
        CHECK(failure_of({"echo", "a\0b"s}) == std::errc::invalid_argument);
        CHECK(says(words_of({"echo", "a\0b"s}), "NUL"));
        CHECK(failure_of({"true"}, {.working_directory = "/\0tmp"s}) == std::errc::invalid_argument);
        CHECK(failure_of({"true"}, {.standard_output = redirection::file("/dev/null\0x"s)}) ==
              std::errc::invalid_argument);
    });
}

TEST_CASE("process start: too many arguments are an error") {
    in_scheduler([] {
        CHECK(failure_of({"true", std::string(std::size_t{4} << 20, 'x')}) == std::errc::argument_list_too_long);
    });
}

// ---- environment and working directory -----------------------------------------------------------------------------

TEST_CASE("process start: it has the program's variables, with additions, or only the given ones") {
    ::setenv("COIR_TEST_VARIABLE", "inherited", 1);
    in_scheduler([] {
        const std::string show = "echo $COIR_TEST_VARIABLE/$COIR_TEST_OTHER";
        CHECK(output_of({"sh", "-c", show}) == "inherited/\n");
        process_options more;
        more.environment.set("COIR_TEST_OTHER", "a=b c");
        CHECK(output_of({"sh", "-c", show}, more) == "inherited/a=b c\n");
        CHECK(output_of({"env"}, {.environment = {{"ONLY", "this"}}}) == "ONLY=this\n");
        CHECK(output_of({"env"}, {.environment = {}}).empty());
    });
    ::unsetenv("COIR_TEST_VARIABLE");
}

TEST_CASE("process start: it runs in the given working directory") {
    const temporary_folder folder;
    in_scheduler([&] {
        const std::string path = std::filesystem::canonical(folder.path()).native() + "\n";
        CHECK(output_of({"pwd", "-P"}, {.working_directory = folder.path()}) == path);
        CHECK(output_of({"pwd", "-P"}) == std::filesystem::current_path().native() + "\n");
    });
}

TEST_CASE("process start: a missing working directory is an error that names it, and not the program") {
    const temporary_folder folder;
    const std::string file = folder.file("file");
    write_program(file, "");
    in_scheduler([&] {
        CHECK(failure_of({"true"}, {.working_directory = "/nowhere"}) == std::errc::no_such_file_or_directory);
        CHECK(says(words_of({"true"}, {.working_directory = "/nowhere"}),
                   "'true': cannot run in the directory '/nowhere'"));
        CHECK(failure_of({"true"}, {.working_directory = file}) == std::errc::not_a_directory);
    });
}

// ---- redirections --------------------------------------------------------------------------------------------------

TEST_CASE("process start: output goes to a file, created or truncated, or is appended to one") {
    const temporary_folder folder;
    const std::string path = folder.file("output");
    in_scheduler([&] {
        const auto echo = [](const std::string& text, redirection to) {
            CHECK(process::spawn({"echo", text}, {.standard_output = std::move(to)}).wait().success());
        };
        echo("a long first line", redirection::file(path));
        CHECK(coir::io::read_file(path) == "a long first line\n");
        echo("second", redirection::file(path));
        CHECK(coir::io::read_file(path) == "second\n");
        echo("third", redirection::append(path));
        CHECK(coir::io::read_file(path) == "second\nthird\n");
        echo("new", redirection::append(folder.file("made")));
        CHECK(coir::io::read_file(folder.file("made")) == "new\n");
    });
}

TEST_CASE("process start: input comes from a file") {
    const temporary_folder folder;
    std::ofstream{folder.file("input")} << "from a file";
    in_scheduler([&] {
        CHECK(output_of({"cat"}, {.standard_input = redirection::file(folder.file("input"))}) == "from a file");
    });
}

TEST_CASE("process start: a file that cannot be opened is an error that names it and the descriptor") {
    const temporary_folder folder;
    REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0666) == 0);
    in_scheduler([&] {
        const redirection nowhere = redirection::file("/nowhere/file");
        CHECK(failure_of({"cat"}, {.standard_input = nowhere}) == std::errc::no_such_file_or_directory);
        CHECK(says(words_of({"cat"}, {.standard_input = nowhere}),
                   "'cat': cannot open '/nowhere/file' for standard input"));
        CHECK(says(words_of({"cat"}, {.standard_error = nowhere}), "cannot open '/nowhere/file' for standard error"));
        CHECK(failure_of({"cat"}, {.standard_output = redirection::file("/")}) == std::errc::is_a_directory);
        CHECK(failure_of({"cat"}, {.standard_input = redirection::file(folder.file("fifo"))}) ==
              std::errc::invalid_argument);
    });
}

TEST_CASE("process start: redirected to /dev/null, input is empty and output is discarded") {
    in_scheduler([] {
        CHECK(output_of({"cat"}, {.standard_input = redirection::null()}).empty());
        CHECK(output_of({"sh", "-c", "echo gone; echo kept >&2"},
                        {.standard_output = redirection::null(), .standard_error = redirection::standard_output()})
                  .empty());
        const auto result =
            run_process({"sh", "-c", "echo kept; echo gone >&2"}, {}, {.standard_error = redirection::null()});
        CHECK(result.output == "kept\n");
        CHECK(result.error.empty());
    });
}

TEST_CASE("process start: opening a device given as a file may block: it happens in the new process") {
    in_scheduler([] {
        const std::string flags =
            output_of({"sh", "-c", "cat /proc/self/fdinfo/3 3<&0"}, {.standard_input = redirection::file("/dev/zero")});
        const auto at = flags.find("flags:");
        REQUIRE(at != flags.npos);
        CHECK((std::stoul(flags.substr(at + 6), nullptr, 8) & O_NONBLOCK) == 0);
    });
}

TEST_CASE("process start: output goes to a descriptor, which stays open and owned by the program") {
    const temporary_folder folder;
    const coir::detail::unique_fd file{::open(folder.file("output").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666)};
    in_scheduler([&] {
        const auto to = redirection::descriptor(file.get());
        for (int i = 0; i < 2; ++i) CHECK(process::spawn({"echo", "x"}, {.standard_output = to}).wait().success());
        CHECK(coir::io::read_file(folder.file("output")) == "x\nx\n");
        CHECK((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);
        CHECK(failure_of({"true"}, {.standard_output = redirection::descriptor(9999)}) ==
              std::errc::bad_file_descriptor);
        CHECK(says(words_of({"true"}, {.standard_output = redirection::descriptor(9999)}),
                   "cannot duplicate descriptor 9999 for standard output"));
        CHECK(failure_of({"true"}, {.standard_output = redirection::descriptor(-1)}) == std::errc::bad_file_descriptor);
    });
}

TEST_CASE("process start: errors go to the same target as output, in the order of writing") {
    const temporary_folder folder;
    in_scheduler([&] {
        const std::vector<std::string> mixed{"sh", "-c", "echo 1; echo 2 >&2; echo 3; echo 4 >&2"};
        CHECK(output_of(mixed, {.standard_error = redirection::standard_output()}) == "1\n2\n3\n4\n");
        CHECK(process::spawn(mixed, {.standard_output = redirection::file(folder.file("both")),
                                     .standard_error = redirection::standard_output()})
                  .wait()
                  .success());
        CHECK(coir::io::read_file(folder.file("both")) == "1\n2\n3\n4\n");
    });
}

TEST_CASE("process start: redirections that make no sense for a descriptor are refused") {
    in_scheduler([] {
        CHECK(failure_of({"true"}, {.standard_input = redirection::append("file")}) == std::errc::invalid_argument);
        CHECK(failure_of({"true"}, {.standard_input = redirection::standard_output()}) == std::errc::invalid_argument);
        CHECK(failure_of({"true"}, {.standard_output = redirection::standard_output()}) == std::errc::invalid_argument);
    });
}

TEST_CASE("process start: it gets no other descriptors of the program, whether close-on-exec or not") {
    in_scheduler([] {
        const coir::detail::unique_fd leaky{::fcntl(0, F_DUPFD, 100)};
        REQUIRE(leaky);
        // The fourth belongs to ls, for the directory.
        CHECK(output_of({"ls", "/proc/self/fd"}, {.working_directory = "/"}) == "0\n1\n2\n3\n");
    });
}

// ---- signals -------------------------------------------------------------------------------------------------------

TEST_CASE("process start: the blocked signals of the fiber's thread are blocked in it, except SIGPIPE") {
    in_scheduler([] {
        CHECK(signals_of_child("SigBlk") == 0);
        sigset_t one;
        ::sigemptyset(&one);
        ::sigaddset(&one, SIGUSR1);
        ::pthread_sigmask(SIG_BLOCK, &one, nullptr);
        CHECK(signals_of_child("SigBlk") == bit_of(SIGUSR1));
        ::pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
    });
}

TEST_CASE("process start: signals that the program ignores are ignored in it, except SIGPIPE") {
    const temporary_disposition pipe{SIGPIPE, SIG_IGN};
    const temporary_disposition hangup{SIGHUP, SIG_IGN};
    const temporary_disposition user{SIGUSR1, [](int) {}};
    in_scheduler([] {
        const unsigned long long ignored = signals_of_child("SigIgn");
        CHECK((ignored & bit_of(SIGPIPE)) == 0);
        CHECK((ignored & bit_of(SIGHUP)) != 0);
        CHECK((ignored & bit_of(SIGUSR1)) == 0);
    });
}

TEST_CASE("process start: one that writes output without a reader ends with SIGPIPE") {
    in_scheduler([] {
        process yes = process::spawn({"yes"}, {.standard_output = redirection::pipe()});
        std::array<std::byte, 2> some;
        CHECK(yes.standard_output().read_exactly(some) == 2);
        yes.standard_output().close();
        CHECK(yes.wait(30s).signal == SIGPIPE);
    });
}
