# coir_for_any_program(TARGET): a library of ours goes into programs, shared libraries and plugins alike.
#
# A compiler for shared libraries inlines no function that another library may replace, and asks the dynamic linker for
# the address of each thread-local variable. The first is given up here (-fno-semantic-interposition). The second may
# allocate, which a signal handler must not: ours lie at fixed offsets (initial-exec), for which there is room in each
# thread as long as they are few and small.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-fno-semantic-interposition COIR_HAS_NO_SEMANTIC_INTERPOSITION)

# The reports of a program need the library's functions and lines, not its variables.
check_cxx_compiler_flag("-g1 -gz" COIR_HAS_COMPRESSED_DEBUG_INFORMATION)

function(coir_for_any_program target)
    if(NOT DEFINED CMAKE_POSITION_INDEPENDENT_CODE)
        set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    endif()
    if(COIR_HAS_NO_SEMANTIC_INTERPOSITION)
        target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-semantic-interposition>)
    endif()
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-ftls-model=initial-exec>)
    if(PROJECT_IS_TOP_LEVEL AND NOT COIR_SANITIZE)
        set(flags -g1)
        if(COIR_HAS_COMPRESSED_DEBUG_INFORMATION)
            list(APPEND flags -gz)
        endif()
        target_compile_options(${target} PRIVATE "$<$<CONFIG:Release>:${flags}>")
    endif()
endfunction()
