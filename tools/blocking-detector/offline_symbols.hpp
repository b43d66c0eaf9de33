#pragma once

#include "finding.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace detector {

/// Reads the symbols of programs and libraries that do not run: from the files themselves and from separate debug
/// files, which are found by build id and by name in the usual folders and in those given.
class offline_symbols {
public:
    explicit offline_symbols(const std::vector<std::string>& debug_folders);
    ~offline_symbols();
    offline_symbols(const offline_symbols&) = delete;
    offline_symbols& operator=(const offline_symbols&) = delete;

    /// The functions at a return address, `offset` in the file `module`: the innermost of those inlined there first,
    /// the one whose frame it is last. Never empty; valid as long as this.
    const std::vector<frame>& functions_at(const std::string& module, std::uint64_t offset);

private:
    class module_file;

    std::vector<frame> read(const std::string& module, std::uint64_t offset);

    std::string debug_path_;
    std::map<std::string, std::unique_ptr<module_file>> files_;
    std::map<std::pair<std::string, std::uint64_t>, std::vector<frame>> known_;
};

}  // namespace detector
