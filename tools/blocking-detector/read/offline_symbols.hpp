#pragma once

#include "read/result.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace detector {

/// Reads the symbols of programs and libraries from their files and from separate debug files. Searches debug files by
/// build id and by name in the default folders and in `debug_folders`.
class offline_symbols {
public:
    explicit offline_symbols(const std::vector<std::string>& debug_folders);
    ~offline_symbols();
    offline_symbols(const offline_symbols&) = delete;
    offline_symbols& operator=(const offline_symbols&) = delete;

    /// The functions at the return address `offset` in the file `module`: inlined functions first, the innermost at the
    /// front, and last the function that they were inlined into. Never empty. Valid as long as this object.
    const std::vector<frame>& functions_at(const std::string& module, std::uint64_t offset);

private:
    class module_file;

    std::vector<frame> read(const std::string& module, std::uint64_t offset);

    std::string debug_path_;
    std::map<std::string, std::unique_ptr<module_file>> files_;
    std::map<std::pair<std::string, std::uint64_t>, std::vector<frame>> known_;
};

}  // namespace detector
