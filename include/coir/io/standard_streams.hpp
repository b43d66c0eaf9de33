#pragma once

#include <coir/io/pipe.hpp>

namespace coir::io {

/// The program's descriptors 0, 1 and 2, of any kind: a terminal, a pipe, a file, a socket, /dev/null. Other programs
/// (the shell) share them, so their O_NONBLOCK flag is not changed: each call creates a new descriptor, and closing it
/// does not close the program's own. A terminal that this process may not open again, and other blocking descriptors,
/// are read by a thread for files once there is something to read.
///
/// Nothing is buffered: bytes that `std::cin` has read ahead are not seen, and bytes that `std::cout` still holds come
/// later. Throws `std::system_error` (`bad_file_descriptor`) if the program was started without the descriptor.
///
/// @code
/// auto out = coir::io::standard_output();
/// out.write_all("hello\n");
/// @endcode
[[nodiscard]] reader standard_input();
[[nodiscard]] writer standard_output();
[[nodiscard]] writer standard_error();

}  // namespace coir::io
