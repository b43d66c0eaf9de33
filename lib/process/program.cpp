#include "process/program.hpp"

#include "base/error_of_call.hpp"
#include "base/sys.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

/// Whether this process may execute the file, or search the directory; if not, errno is set. Checks the effective user
/// with faccessat2(2). If a seccomp filter refuses that call, checks the real user, which differs only in set-user-ID
/// programs.
bool may_execute(int folder, const char* path) noexcept {
    if (::faccessat(folder, path, X_OK, AT_EACCESS) == 0) return true;
    // A direct system call, since faccessat(3) calls faccessat2 even without flags.
    return sys::may_be_unavailable(-errno) && ::syscall(SYS_faccessat, folder, path, X_OK) == 0;
}

/// The error if `path` cannot be executed.
std::error_code refusal_of(const std::string& path, int folder) {
    struct stat about {};
    // The same error if the directory cannot be searched: it is then unknown whether the file exists.
    if (::fstatat(folder, path.c_str(), &about, 0) != 0) {
        return std::make_error_code(std::errc::no_such_file_or_directory);
    }
    if (!S_ISREG(about.st_mode)) return std::make_error_code(std::errc::permission_denied);
    if (!may_execute(folder, path.c_str())) return last_error();
    return {};
}

}  // namespace

directory_opened open_working_directory(const std::string& path) {
    unique_fd folder{::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!folder || !may_execute(folder.get(), ".")) return {{}, last_error()};
    return {std::move(folder), {}};
}

program_found find_program(const std::string& name, const environment& variables, int folder) {
    if (name.find('/') != name.npos) return {name, {}};
    const auto found = variables.variables().find("PATH");
    std::string_view left = found == variables.variables().end() ? std::string_view{"/bin:/usr/bin"} : found->second;
    std::error_code failure = std::make_error_code(std::errc::no_such_file_or_directory);
    for (;;) {
        const std::size_t colon = left.find(':');
        const std::string_view where = left.substr(0, colon);
        std::string path = (where.empty() ? "." : std::string{where}) + "/" + name;
        const std::error_code refusal = refusal_of(path, folder < 0 ? AT_FDCWD : folder);
        if (!refusal) return {std::move(path), {}};
        // "Permission denied" for an existing file is more useful than "not found" in another directory.
        if (refusal == std::errc::permission_denied) failure = refusal;
        if (colon == left.npos) return {{}, failure};
        left.remove_prefix(colon + 1);
    }
}

}  // namespace coir::detail
