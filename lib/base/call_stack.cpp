#include "base/call_stack.hpp"

#include <cstdint>
#include <unwind.h>

namespace coir::detail {

namespace {

// Uses the unwinder of the compiler's runtime directly. backtrace(3) loads a library at its first call.

struct walk {
    call_stack& into;
    const void* from;  // return address of the first frame to record; nullptr: start at the interrupted frame
    bool begun = false;
};

_Unwind_Reason_Code visit(_Unwind_Context* frame, void* data) {
    walk& here = *static_cast<walk*>(data);
    int interrupted = 0;
    const std::uintptr_t at = _Unwind_GetIPInfo(frame, &interrupted);
    if (at == 0) return _URC_END_OF_STACK;
    const void* const address = reinterpret_cast<const void*>(at + (interrupted != 0 ? 1 : 0));
    if (!here.begun) here.begun = here.from != nullptr ? address == here.from : interrupted != 0;
    if (here.begun) here.into.frames[static_cast<std::size_t>(here.into.depth++)] = address;
    return here.into.depth < call_stack::depth_max ? _URC_NO_REASON : _URC_END_OF_STACK;
}

}  // namespace

void capture_from(const void* site, call_stack& into) noexcept {
    into.depth = 0;
    walk here{into, site};
    _Unwind_Backtrace(visit, &here);
    if (into.depth == 0) into.frames[static_cast<std::size_t>(into.depth++)] = site;
}

void capture_interrupted(call_stack& into) noexcept {
    into.depth = 0;
    walk here{into, nullptr};
    _Unwind_Backtrace(visit, &here);
}

}  // namespace coir::detail
