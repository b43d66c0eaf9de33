# Warnings for coir's own code. Always PRIVATE, so that they do not change the flags of projects that use coir.
set(coir_warning_flags
    -Wall
    -Wextra
    -Wpedantic
    -Wshadow
    -Wconversion
    -Wno-sign-conversion # part of clang's -Wconversion; the headers have none, see test/consumer/strict
    -Wold-style-cast
    -Wnon-virtual-dtor
    -Woverloaded-virtual
    -Wcast-align
    -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND coir_warning_flags -Wno-restrict) # false positives for "text" + std::string: GCC PR105651
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND (COIR_SANITIZE OR CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13))
    # False positives in instrumented code (gcc(1), -fsanitize), and since g++ 13 for values from a visited variant.
    list(APPEND coir_warning_flags -Wno-maybe-uninitialized)
endif()
if(COIR_WERROR)
    list(APPEND coir_warning_flags -Werror)
endif()

function(coir_warnings target)
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${coir_warning_flags}>")
endfunction()
