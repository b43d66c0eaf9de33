# coir_touch_each_page(TARGET): code that uses TARGET touches each page of a large stack frame (-fstack-clash-protection),
# so that a frame larger than the guard of a fiber's stack is a fault, and not a write into another fiber's stack. Does
# nothing if COIR_STACK_CLASH is off, or if the compiler has no such option for its target (clang 14 for aarch64).
#
# In this project, and in those that find coir with find_package: their compiler may be another one.
option(COIR_STACK_CLASH "Compile with -fstack-clash-protection: large stack frames cannot skip a guard" ON)
if(COIR_STACK_CLASH)
    include(CheckCXXCompilerFlag)
    check_cxx_compiler_flag("-fstack-clash-protection -Werror" COIR_HAS_STACK_CLASH_PROTECTION)
endif()

function(coir_touch_each_page target)
    if(COIR_STACK_CLASH AND COIR_HAS_STACK_CLASH_PROTECTION)
        set(flag "$<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang>:-fstack-clash-protection>")
        get_target_property(is_imported ${target} IMPORTED)
        if(is_imported)
            set_property(TARGET ${target} PROPERTY INTERFACE_COMPILE_OPTIONS "${flag}")
        else()
            target_compile_options(${target} PRIVATE "${flag}" INTERFACE "$<BUILD_INTERFACE:${flag}>")
        endif()
    endif()
endfunction()
