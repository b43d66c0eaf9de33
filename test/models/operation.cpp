#include "models/operation.hpp"

namespace coir::models {

namespace {

std::string ticks(int half_ticks) { return std::to_string(half_ticks / 2) + (half_ticks % 2 != 0 ? ".5" : ""); }

}  // namespace

std::string text_of(const operation& of) {
    std::string text = of.delay != 0 ? "after " + ticks(of.delay) + " " : "";
    text += of.name;
    if (of.kind == request_stop) text += " of fiber " + std::to_string(of.argument);
    if (of.limit != unlimited) text += " for " + ticks(of.limit);
    if (of.shielded) text += " shielded";
    if (of.inner != unlimited) text += " within " + ticks(of.inner);
    if (of.outer != unlimited) text += " within " + ticks(of.outer);
    return text;
}

std::string text_of(outcome of) {
    switch (of) {
    case outcome::done: return "done";
    case outcome::refused: return "refused";
    case outcome::timed_out: return "timed_out";
    case outcome::cancelled: return "cancelled";
    case outcome::outer_expired: return "the outer scope has expired";
    case outcome::inner_expired: return "the inner scope has expired";
    case outcome::already_held: return "resource_deadlock_would_occur";
    case outcome::not_permitted: return "operation_not_permitted";
    case outcome::closed: return "channel_closed";
    case outcome::argument_changed: return "the argument has changed";
    case outcome::other_exception: return "an unexpected exception";
    case outcome::first_value: break;
    }
    return "value " + std::to_string(static_cast<int>(of) - static_cast<int>(outcome::first_value));
}

}  // namespace coir::models
