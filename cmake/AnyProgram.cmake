# coir_for_any_program(TARGET): compiles a static library so that programs, shared libraries and plugins can contain it.
#
# For shared libraries, a compiler by default does not inline functions that another library may replace, and calls the
# dynamic linker for the address of each thread-local variable. -fno-semantic-interposition permits inlining. The call
# for a thread-local variable may allocate, which a signal handler must not do; so coir's variables have fixed offsets
# (initial-exec). Each thread has space for them as long as they are few and small.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-fno-semantic-interposition COIR_HAS_NO_SEMANTIC_INTERPOSITION)

# Reports need the names of functions and the lines of the library, but not its variables.
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
