#include "process/process_start.hpp"

#include "base/clone_refusal.hpp"
#include "io/file_calls.hpp"
#include "process/program.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <spawn.h>
#include <string_view>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

using kind = redirection::kind;

const char* stream_name(int target) noexcept {
    return target == 0 ? "standard input" : target == 1 ? "standard output" : "standard error";
}

std::string operation(const process_start& request) {
    const std::string program = request.arguments.empty() ? std::string{} : request.arguments.front();
    return "process::spawn '" + program + "'";
}

[[noreturn]] void fail(const process_start& request, std::error_code why, const std::string& where) {
    throw std::system_error{why, operation(request) + where};
}

[[noreturn]] void refuse(const process_start& request, const std::string& why) {
    fail(request, std::make_error_code(std::errc::invalid_argument), why);
}

std::error_code code_of(int error) noexcept { return {error, std::system_category()}; }

const redirection& redirection_of(const process_start& request, int target) noexcept {
    const process_options& options = request.options;
    return target == 0 ? options.standard_input : target == 1 ? options.standard_output : options.standard_error;
}

// ---- the standard streams of the process ---------------------------------------------------------------------------

/// Duplicates `fd` to a number above 2, so that dup2 to a standard stream does not overwrite it first.
unique_fd above_standard(const process_start& request, int fd, const char* name) {
    unique_fd copy{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
    if (!copy) fail(request, code_of(errno), ": cannot duplicate descriptor " + std::to_string(fd) + " for " + name);
    return copy;
}

unique_fd open_for(const process_start& request, int target, const std::string& path, int flags) {
    const char* const name = stream_name(target);
    file_opened opened = open_file(path, flags, 0666);
    if (opened.failure) fail(request, opened.failure, ": cannot open '" + path + "' for " + name);
    // Only the opening must not block; the process itself may expect blocking reads from a terminal.
    ::fcntl(opened.fd.get(), F_SETFL, flags & O_APPEND);
    return opened.fd.get() > 2 ? std::move(opened.fd) : above_standard(request, opened.fd.get(), name);
}

/// Creates a pipe: `ours` is the end of this process, made non-blocking; the result is the end of the new process.
unique_fd pipe_for(const process_start& request, int target, unique_fd& ours) {
    const char* const name = stream_name(target);
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) fail(request, code_of(errno), std::string{": cannot make a pipe for "} + name);
    const bool is_input = target == 0;
    unique_fd theirs{ends[is_input ? 0 : 1]};
    ours = unique_fd{ends[is_input ? 1 : 0]};
    // Only this end: programs expect that read(2) and write(2) block.
    if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) {
        fail(request, code_of(errno), std::string{": cannot make the pipe for "} + name + " non-blocking");
    }
    return theirs.get() > 2 ? std::move(theirs) : above_standard(request, theirs.get(), name);
}

/// Empty if the stream is inherited.
unique_fd descriptor_for(const process_start& request, int target, unique_fd& ours) {
    constexpr int made_or = O_WRONLY | O_CREAT;
    const redirection& to = redirection_of(request, target);
    switch (to.what()) {
    case kind::pipe: return pipe_for(request, target, ours);
    case kind::null: return open_for(request, target, "/dev/null", O_RDWR);
    case kind::file: return open_for(request, target, to.path().native(), target == 0 ? O_RDONLY : made_or | O_TRUNC);
    case kind::append: return open_for(request, target, to.path().native(), made_or | O_APPEND);
    case kind::descriptor: return above_standard(request, to.fd(), stream_name(target));
    case kind::inherited:
    case kind::standard_output: break;
    }
    return {};
}

// ---- the arguments of posix_spawn(3) -------------------------------------------------------------------------------

/// Throws for calls that return an error number.
void require(int error, const char* call) {
    if (error != 0) throw std::system_error{code_of(error), std::string{"process::spawn: "} + call};
}

/// The descriptor operations of the child before it executes the program.
class file_actions {
public:
    file_actions() { require(::posix_spawn_file_actions_init(&actions_), "posix_spawn_file_actions_init"); }
    ~file_actions() { ::posix_spawn_file_actions_destroy(&actions_); }
    file_actions(const file_actions&) = delete;
    file_actions& operator=(const file_actions&) = delete;

    void put(int fd, int target) {
        require(::posix_spawn_file_actions_adddup2(&actions_, fd, target), "posix_spawn_file_actions_adddup2");
    }
    void enter(int folder) {
        require(::posix_spawn_file_actions_addfchdir_np(&actions_, folder), "posix_spawn_file_actions_addfchdir_np");
    }
    void close_from(int first) {
        require(::posix_spawn_file_actions_addclosefrom_np(&actions_, first),
                "posix_spawn_file_actions_addclosefrom_np");
    }
    [[nodiscard]] const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

private:
    posix_spawn_file_actions_t actions_;
};

class attributes {
public:
    attributes(const sigset_t& blocked, bool own_group) {
        require(::posix_spawnattr_init(&attributes_), "posix_spawnattr_init");
        sigset_t mask = blocked;
        ::sigdelset(&mask, SIGPIPE);
        ::posix_spawnattr_setsigmask(&attributes_, &mask);
        // Ignored signals stay ignored across execve(2). If this program ignores SIGPIPE, its children would ignore it
        // too, and continue to write to pipes that have no reader.
        sigset_t by_default;
        ::sigemptyset(&by_default);
        ::sigaddset(&by_default, SIGPIPE);
        ::posix_spawnattr_setsigdefault(&attributes_, &by_default);
        ::posix_spawnattr_setpgroup(&attributes_, 0);
        const int group = own_group ? POSIX_SPAWN_SETPGROUP : 0;
        ::posix_spawnattr_setflags(&attributes_,
                                   static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group));
    }
    ~attributes() { ::posix_spawnattr_destroy(&attributes_); }
    attributes(const attributes&) = delete;
    attributes& operator=(const attributes&) = delete;

    [[nodiscard]] const posix_spawnattr_t* get() const noexcept { return &attributes_; }

private:
    posix_spawnattr_t attributes_;
};

/// The strings in the form that execve(2) expects. It does not write to them.
std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    pointers.reserve(strings.size() + 1);
    for (const std::string& each : strings) pointers.push_back(const_cast<char*>(each.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

std::vector<std::string> entries_of(const environment& given) {
    std::vector<std::string> entries;
    for (const auto& [name, value] : given.variables()) entries.push_back(name + "=" + value);
    return entries;
}

pid_t spawn(const process_start& request, const std::string& path, const file_actions& actions) {
    const attributes how{request.blocked, request.options.own_group};
    const std::vector<std::string> variables = entries_of(request.options.environment);
    pid_t id = 0;
    const int error = ::posix_spawn(&id, path.c_str(), actions.get(), how.get(), pointers_to(request.arguments).data(),
                                    pointers_to(variables).data());
    if (error != 0) fail(request, code_of(error), clone_refusal(error));
    return id;
}

/// Kills and reaps a process that has started but cannot be watched.
void end(pid_t started) noexcept {
    ::kill(started, SIGKILL);
    while (::waitpid(started, nullptr, 0) < 0 && errno == EINTR) {
    }
}

}  // namespace

started_process start_process(const process_start& request) {
    unique_fd folder;
    if (const auto& path = request.options.working_directory; !path.empty()) {
        auto opened = open_working_directory(path.native());
        if (opened.failure) fail(request, opened.failure, ": cannot run in the directory '" + path.native() + "'");
        folder = std::move(opened.fd);
    }
    const auto program = find_program(request.arguments.front(), request.options.environment, folder.get());
    if (program.failure) fail(request, program.failure, "");

    started_process made;
    unique_fd theirs[3];
    file_actions actions;
    for (int target = 0; target < 3; ++target) {
        theirs[target] = descriptor_for(request, target, made.pipes[target]);
        if (theirs[target]) actions.put(theirs[target].get(), target);
    }
    if (request.options.standard_error.what() == kind::standard_output) actions.put(1, 2);
    if (folder) actions.enter(folder.get());
    actions.close_from(3);
    made.id = spawn(request, program.path, actions);
    try {
        made.end = exit_watcher::of(made.id);
    } catch (const std::system_error& failed) {
        end(made.id);
        fail(request, failed.code(),
             ": cannot watch for the end of the process" + clone_refusal(failed.code().value()));
    } catch (...) {
        end(made.id);
        throw;
    }
    return made;
}

void check_start(const process_start& request) {
    if (request.arguments.empty()) refuse(request, ": the argument list is empty; its first element is the program");
    const auto has_nul = [](std::string_view text) { return text.find('\0') != text.npos; };
    if (request.arguments.front().empty()) refuse(request, ": the program, the first argument, is an empty string");
    if (std::any_of(request.arguments.begin(), request.arguments.end(), has_nul)) {
        refuse(request, ": an argument contains a NUL character");
    }
    if (has_nul(request.options.working_directory.native())) {
        refuse(request, ": the path of the working directory contains a NUL character");
    }
    for (int target = 0; target < 3; ++target) {
        const redirection& to = redirection_of(request, target);
        const std::string name = stream_name(target);
        if (has_nul(to.path().native())) refuse(request, ": the path of " + name + " contains a NUL character");
        if (target == 0 && to.what() == kind::append)
            refuse(request, ": redirection::append is not for standard input");
        if (target != 2 && to.what() == kind::standard_output) {
            refuse(request, ": redirection::standard_output is for standard error only, not for " + name);
        }
    }
}

}  // namespace coir::detail
