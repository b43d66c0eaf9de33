# Shared by all consumers that use CMake.
add_executable(program "${CMAKE_CURRENT_LIST_DIR}/program.cpp")
target_link_libraries(program PRIVATE coir::coir)
add_test(NAME program COMMAND program)

# coir's warnings and build settings must not reach its users.
foreach(property INTERFACE_COMPILE_OPTIONS INTERFACE_LINK_OPTIONS INTERFACE_COMPILE_DEFINITIONS)
    get_target_property(imposed coir::coir ${property})
    list(FILTER imposed EXCLUDE REGEX "-fstack-clash-protection") # the only option for code with large stack frames
    if(imposed)
        message(FATAL_ERROR "coir::coir imposes on its users: ${property} is ${imposed}")
    endif()
endforeach()
get_directory_property(imposed COMPILE_OPTIONS)
if(NOT CMAKE_NO_SYSTEM_FROM_IMPORTED AND imposed)
    message(FATAL_ERROR "coir changed the options of the project that uses it: ${imposed}")
endif()
