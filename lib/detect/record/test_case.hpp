#pragma once

#include <string_view>

namespace coir::detail {

/// The name that `set_blocking_test_case` has set last. Usable from any thread and from signal handlers; never freed.
[[nodiscard]] std::string_view current_test_case() noexcept;

}  // namespace coir::detail
