#pragma once

#include <string_view>

namespace coir::detail {

/// Whether hosts(5) lists this name. Blocks: reads /etc/hosts. False if that cannot be read.
[[nodiscard]] bool is_in_hosts_file(std::string_view name);

/// The same for the content of such a file.
[[nodiscard]] bool lists_host(std::string_view content, std::string_view name) noexcept;

}  // namespace coir::detail
