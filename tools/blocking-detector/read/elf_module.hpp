#pragma once

#include <elfutils/libdwfl.h>

#include <string>

namespace detector {

/// Adds the file to the session, whose modules are being reported, at its link-time addresses. Returns nullptr for anything
/// but a regular file in the ELF format. A record may name any file: opening a FIFO would wait, and libdw would unpack a
/// compressed file of any size.
[[nodiscard]] Dwfl_Module* report_elf_file(Dwfl* session, const std::string& path);

}  // namespace detector
