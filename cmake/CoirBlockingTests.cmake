# Tests that fail if a fiber blocks its thread. find_package(coir) and add_subdirectory(coir) define two functions; both
# need the tool blocking-detector: the installed component `tools`, or COIR_BUILD_TOOLS=ON in a project that contains coir.
#
# coir_add_blocking_test(TARGET [NAME name] [ARGS argument...] [OPTIONS option...])
#   Adds a CTest test, blocking.TARGET by default, that runs the program under the tool. It fails with the program, if a
#   fiber blocks its thread (exit status 66), and if the program never calls coir::run (69). ARGS are the program's
#   arguments; OPTIONS are those of `blocking-detector run`, such as
#       --require-engine trap    the test fails where system calls cannot be trapped
#       --suppressions FILE      an absolute path: a test runs in the build folder
#
# coir_detect_blocking(TARGET... [OPTIONS option...])
#   Runs all tests of these programs under the tool. Each test fails by itself, under its own name; one without fibers
#   passes. Call it before add_test, gtest_discover_tests, doctest_discover_tests or catch_discover_tests:
#       coir_detect_blocking(my_tests)
#       gtest_discover_tests(my_tests)
#   The reports are written to standard error. The program is started through CROSSCOMPILING_EMULATOR (and TEST_LAUNCHER,
#   where CMP0158 is NEW); where a build is for another machine, nothing is changed.
#
# Both tell the tool that your code is in CMAKE_SOURCE_DIR, unless OPTIONS contain --source-root or --strip-prefix.

function(coir_add_blocking_test target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" NAME "ARGS;OPTIONS")
    coir_check_blocking_arguments(coir_add_blocking_test "${arg_UNPARSED_ARGUMENTS}" ${target})
    if(NOT arg_NAME)
        set(arg_NAME blocking.${target})
    endif()
    coir_blocking_options(options ${arg_OPTIONS})
    add_test(NAME "${arg_NAME}" COMMAND coir::blocking-detector run ${options} -- $<TARGET_FILE:${target}> ${arg_ARGS})
    set_property(TEST "${arg_NAME}" APPEND PROPERTY LABELS blocking)
endfunction()

function(coir_detect_blocking)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "" OPTIONS)
    coir_check_blocking_arguments(coir_detect_blocking "" ${arg_UNPARSED_ARGUMENTS})
    if(CMAKE_CROSSCOMPILING)
        message(STATUS "coir: blocking calls are not detected in the tests of a build for another machine")
        return()
    endif()
    if(POLICY CMP0158)
        cmake_policy(GET CMP0158 launcher_is_used PARENT_SCOPE)
    endif()
    # A script, as the properties are used unchanged by some CMake versions: without generator expressions.
    coir_blocking_options(options ${arg_OPTIONS})
    set(command "\"$<TARGET_FILE:coir::blocking-detector>\" run --allow-empty --output text:/dev/stderr")
    foreach(each IN LISTS options)
        string(REPLACE "'" "'\\''" each "${each}")
        string(APPEND command " '${each}'")
    endforeach()
    foreach(target IN LISTS arg_UNPARSED_ARGUMENTS)
        set(script "${CMAKE_CURRENT_BINARY_DIR}/${target}.under-blocking-detector")
        file(
            GENERATE
            OUTPUT "${script}"
            CONTENT "#!/bin/sh\nexec ${command} -- \"$@\"\n"
            FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
        get_target_property(runs_under ${target} CROSSCOMPILING_EMULATOR)
        if(NOT runs_under)
            set(runs_under)
        endif()
        set_target_properties(${target} PROPERTIES CROSSCOMPILING_EMULATOR "${script};${runs_under}")
        if(launcher_is_used STREQUAL "NEW")
            set_target_properties(${target} PROPERTIES TEST_LAUNCHER "${script}")
        endif()
        add_dependencies(${target} coir::blocking-detector) # tests are discovered after the program is linked
    endforeach()
endfunction()

function(coir_check_blocking_arguments function unknown)
    if(unknown)
        message(FATAL_ERROR "${function}: unknown arguments: ${unknown}")
    endif()
    if(NOT ARGN)
        message(FATAL_ERROR "${function}: no target given")
    endif()
    foreach(target IN LISTS ARGN)
        if(NOT TARGET ${target})
            message(FATAL_ERROR "${function}: '${target}' is not a target")
        endif()
    endforeach()
    if(NOT TARGET coir::blocking-detector)
        message(FATAL_ERROR "${function}: the tool blocking-detector is missing: set COIR_BUILD_TOOLS to ON in a project "
                            "that contains coir, or install the component 'tools' of coir")
    endif()
endfunction()

function(coir_blocking_options result)
    set(options ${ARGN})
    foreach(option IN ITEMS --source-root --strip-prefix)
        if(NOT "${ARGN}" MATCHES "(^|;)${option}(;|=|$)")
            list(APPEND options ${option} "${CMAKE_SOURCE_DIR}")
        endif()
    endforeach()
    set(${result} "${options}" PARENT_SCOPE)
endfunction()
