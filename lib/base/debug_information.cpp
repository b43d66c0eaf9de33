#include "base/debug_information.hpp"

#if defined(COIR_HAVE_LIBDW)

#include "base/child_answer.hpp"
#include "base/read_file.hpp"

#include <elfutils/libdwfl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coir::detail {

namespace {

constexpr int failures_max = 3;          // in a row; then no more child is started
constexpr std::size_t asked_max = 1024;  // addresses in one question to a child: its answer is limited

std::string why(const child_answer& failed) {
    switch (failed.how) {
    case child_answer::ending::refused: return "cannot be started: " + std::generic_category().message(failed.error);
    case child_answer::ending::took_long: return "took too long";
    default: return "died";
    }
}

/// The checksum of a .gnu_debuglink section: the CRC-32 of the file.
std::uint32_t checksum_of(int file) {
    static const std::array<std::uint32_t, 256> table = [] {
        std::array<std::uint32_t, 256> made{};
        for (std::uint32_t i = 0; i < made.size(); ++i) {
            made[i] = i;
            for (int bit = 0; bit < 8; ++bit) made[i] = made[i] >> 1U ^ ((made[i] & 1U) != 0 ? 0xedb88320U : 0U);
        }
        return made;
    }();
    std::uint32_t sum = ~0U;
    std::vector<unsigned char> bytes(std::size_t{1} << 16);
    off_t at = 0;
    for (ssize_t got = 0; (got = ::pread(file, bytes.data(), bytes.size(), at)) > 0; at += got) {
        for (const unsigned char each : std::span{bytes}.first(static_cast<std::size_t>(got))) {
            sum = table[(sum ^ each) & 0xffU] ^ sum >> 8U;
        }
    }
    return ~sum;
}

/// Finds a separate debug file by build id, and by the name in the module's .gnu_debuglink section as gdb does. Like
/// dwfl_standard_find_debuginfo, but never queries a debuginfod server.
int find_debug_file(Dwfl_Module* module, void** data, const char* name, Dwarf_Addr base, const char* file,
                    const char* linked, GElf_Word checksum, char** found) {
    const int identified = dwfl_build_id_find_debuginfo(module, data, name, base, file, linked, checksum, found);
    if (identified >= 0 || linked == nullptr || file == nullptr) return identified;
    const std::filesystem::path folder = std::filesystem::path{file}.parent_path();
    const std::filesystem::path system = "/usr/lib/debug";
    for (const std::filesystem::path& each :
         {folder / linked, folder / ".debug" / linked, system / folder.relative_path() / linked}) {
        unique_fd opened = open_regular_file(each.string());
        // A file that several debug files share (dwz) is linked without a checksum.
        if (!opened || (checksum != 0 && checksum_of(opened.get()) != checksum)) continue;
        *found = ::strdup(each.c_str());
        return opened.release();
    }
    return -1;
}

/// The elfutils session for this process, in a child of it.
class debug_session {
public:
    debug_session() {
        static char* no_path = nullptr;
        static const Dwfl_Callbacks callbacks{
            .find_elf = dwfl_linux_proc_find_elf,
            .find_debuginfo = find_debug_file,
            .section_address = nullptr,
            .debuginfo_path = &no_path,
        };
        session_ = dwfl_begin(&callbacks);
        if (session_ == nullptr) return;
        dwfl_report_begin(session_);
        dwfl_linux_proc_report(session_, ::getpid());
        dwfl_report_end(session_, nullptr, nullptr);
    }
    ~debug_session() {
        if (session_ != nullptr) dwfl_end(session_);
    }
    debug_session(const debug_session&) = delete;
    debug_session& operator=(const debug_session&) = delete;

    /// The functions at `address`, innermost first. None without debug information.
    std::vector<code_scope> look_up(std::uintptr_t address) {
        Dwfl_Module* const module = session_ != nullptr ? dwfl_addrmodule(session_, address) : nullptr;
        return module != nullptr ? scopes_.at(*module, address) : std::vector<code_scope>{};
    }

private:
    Dwfl* session_ = nullptr;
    dwarf_scopes scopes_;
};

/// The functions at each of the addresses as text, in which a zero byte ends each field.
std::string functions_as_text(std::span<const std::uintptr_t> addresses) {
    debug_session debug;
    std::string text;
    const auto add = [&](std::string_view field) { text.append(field).push_back('\0'); };
    for (const std::uintptr_t address : addresses) {
        const std::vector<code_scope> functions = debug.look_up(address);
        add(std::to_string(functions.size()));
        for (const code_scope& each : functions) {
            add(each.name);
            add(each.file);
            add(std::to_string(each.line));
            add(each.is_plumbing ? "plumbing" : "");
        }
    }
    return text;
}

/// Reads that text.
class functions_in_text {
public:
    explicit functions_in_text(std::string_view text) noexcept : rest_{text} {}

    /// The functions at the next address.
    std::vector<code_scope> next() {
        std::vector<code_scope> functions(static_cast<std::size_t>(number()));
        for (code_scope& each : functions) {
            each.name = field();
            each.file = field();
            each.line = number();
            each.is_plumbing = !field().empty();
        }
        return functions;
    }

private:
    std::string_view field() noexcept {
        const std::string_view found = rest_.substr(0, rest_.find('\0'));
        rest_.remove_prefix(std::min(found.size() + 1, rest_.size()));
        return found;
    }

    int number() noexcept {
        const std::string_view text = field();
        int value = 0;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    }

    std::string_view rest_;
};

}  // namespace

debug_information::functions debug_information::look_up(std::span<const std::uintptr_t> addresses) {
    functions found;
    while (!addresses.empty()) {
        const auto some = addresses.first(std::min(addresses.size(), asked_max));
        std::ranges::move(ask(some), std::back_inserter(found));
        addresses = addresses.subspan(some.size());
    }
    return found;
}

debug_information::functions debug_information::ask(std::span<const std::uintptr_t> addresses) {
    functions found(addresses.size());
    if (failures_ == failures_max) return found;
    const child_answer answer = ask_child([&] { return functions_as_text(addresses); });
    if (answer.how != child_answer::ending::answered) {
        note(answer);
        return found;
    }
    failures_ = 0;
    functions_in_text text{answer.text};
    for (std::vector<code_scope>& each : found) each = text.next();
    return found;
}

void debug_information::note(const child_answer& failed) {
    const bool is_first = failures_ == 0;
    failures_ = failed.how == child_answer::ending::took_long ? failures_max : failures_ + 1;
    if (is_first)
        message_ =
            "no file and line for the addresses in reports: the process that reads debug information " + why(failed);
}

std::string debug_information::take_message() { return std::exchange(message_, {}); }

}  // namespace coir::detail

#else

namespace coir::detail {

debug_information::functions debug_information::look_up(std::span<const std::uintptr_t> addresses) {
    return functions(addresses.size());
}

std::string debug_information::take_message() { return {}; }

}  // namespace coir::detail

#endif
