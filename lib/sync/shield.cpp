#include <coir/shield.hpp>

#include "core/scheduler.hpp"

namespace coir {

shield_scope::shield_scope() : owner_{&detail::scheduler::get("shield_scope").running()} { ++owner_->shields; }

shield_scope::~shield_scope() { --owner_->shields; }

}  // namespace coir
