#pragma once

#include "base/elf_file.hpp"
#include "read/result.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace detector {

/// A return address.
struct code_address {
    std::string module;  // the path of its file; empty when unknown
    std::uint64_t offset = 0;

    auto operator<=>(const code_address&) const = default;
};

/// Reads the symbols of programs and libraries from their files and from separate debug files. Searches debug files by
/// build id and by name in the default folders and in `debug_folders`.
class offline_symbols {
public:
    explicit offline_symbols(const std::vector<std::string>& debug_folders);
    ~offline_symbols();
    offline_symbols(const offline_symbols&) = delete;
    offline_symbols& operator=(const offline_symbols&) = delete;

    /// The functions at a return address: inlined functions first, the innermost at the front, and last the function that
    /// they were inlined into. Never empty. `caller` is that of the next frame of the stack; it may tell the name of a
    /// function that has none.
    [[nodiscard]] std::vector<frame> functions_at(const code_address& at, const code_address& caller = {});

private:
    class module_file;

    std::vector<frame> read(const code_address& at);
    void name_by_caller(frame& function, const code_address& caller);

    std::string debug_path_;
    std::map<std::string, std::unique_ptr<module_file>> files_;
    std::map<std::string, coir::detail::elf_file> calls_;
    std::map<code_address, std::vector<frame>> known_;
};

}  // namespace detector
