# Ends with a clear message on unsupported platforms. The list of supported platforms is in one public header only.
set(coir_platform_header "${PROJECT_SOURCE_DIR}/include/coir/detail/base/platform.hpp")
try_compile(
    COIR_PLATFORM_IS_SUPPORTED SOURCE_FROM_CONTENT platform.cpp "#include \"${coir_platform_header}\"\nint main() {}\n"
    CXX_STANDARD 20
    OUTPUT_VARIABLE coir_platform_output NO_CACHE)
if(NOT COIR_PLATFORM_IS_SUPPORTED)
    if(coir_platform_output MATCHES "#error \"?(coir [^\n\"]*)")
        message(FATAL_ERROR "${CMAKE_MATCH_1}")
    endif()
    message(FATAL_ERROR "coir: ${CMAKE_CXX_COMPILER} does not compile a C++20 program:\n${coir_platform_output}")
endif()
