# What we ask of our own code. Always PRIVATE: a consumer's flags are the consumer's.
set(coir_warning_flags
    -Wall
    -Wextra
    -Wpedantic
    -Wshadow
    -Wconversion
    -Wno-sign-conversion # clang counts it in; our headers are clean of it, see test/consumer/strict
    -Wold-style-cast
    -Wnon-virtual-dtor
    -Woverloaded-virtual
    -Wcast-align
    -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND coir_warning_flags -Wno-restrict) # sees overlaps in "text" + std::string where none are: GCC's PR105651
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND (COIR_SANITIZE OR CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13))
    # Instrumented code confuses it (gcc(1), -fsanitize), and from 13 on a value that comes out of a visited variant.
    list(APPEND coir_warning_flags -Wno-maybe-uninitialized)
endif()
if(COIR_WERROR)
    list(APPEND coir_warning_flags -Werror)
endif()

function(coir_warnings target)
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${coir_warning_flags}>")
endfunction()
