#include "cli/version.hpp"

namespace detector {

std::string_view tool_version() noexcept { return DETECTOR_VERSION; }

}  // namespace detector
