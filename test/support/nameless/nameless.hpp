#pragma once

/// @file
/// Stacks of a library without names for its internal functions. Its exported functions, which are in nameless.cpp, end
/// with a jump to an internal one. Those in callers.cpp, of another library, call them in several ways.

namespace coir::test {

/// The return address in an internal function of the library, and that in the function that called the library.
struct captured_frames {
    const void* internal = nullptr;
    const void* caller = nullptr;
};

}  // namespace coir::test

extern "C" {

void capture_frames(coir::test::captured_frames& into);
void capture_other_frames(coir::test::captured_frames& into);
void capture_hooked_frames(coir::test::captured_frames& into);

/// Stands in front of a function of the C library. Sleeps.
int res_query(const char* name, int type, int format, unsigned char* answer, int bytes);
}

namespace coir::test {

captured_frames call_directly();
captured_frames call_through_table();  // of addresses, as with -fno-plt
captured_frames call_by_pointer();
captured_frames call_hook();     // of the same name, which jumps to the library's function
captured_frames call_wrapper();  // which jumps to the library's function
captured_frames call_one_of_two();
captured_frames call_one_or_pointer();

}  // namespace coir::test
