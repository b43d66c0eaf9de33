# Finds libdw of elfutils, which translates addresses to file and line. Defines LibDw::LibDw, or sets
# LibDw_NOT_FOUND_MESSAGE to the reason. Also installed beside coirConfig.cmake, for programs that link a libcoir.a
# built with symbols.
find_path(LibDw_INCLUDE_DIR elfutils/libdwfl.h)
find_library(LibDw_LIBRARY dw)
mark_as_advanced(LibDw_INCLUDE_DIR LibDw_LIBRARY)
set(LibDw_NOT_FOUND_MESSAGE)
set(LibDw_archives)
set(LibDw_parts LibDw_LIBRARY LibDw_INCLUDE_DIR)

# A static libdw does not list its dependencies; they depend on how elfutils was built, and the archive of Debian 13 is
# incomplete. Only linking a program shows whether it works.
if(LibDw_INCLUDE_DIR AND LibDw_LIBRARY MATCHES "\\.a$")
    set(LibDw_absent)
    foreach(part elf lzma bz2 zstd z)
        find_library(LibDw_${part}_LIBRARY ${part})
        mark_as_advanced(LibDw_${part}_LIBRARY)
        if(LibDw_${part}_LIBRARY)
            list(APPEND LibDw_archives ${LibDw_${part}_LIBRARY})
        else()
            list(APPEND LibDw_absent lib${part}.a)
        endif()
    endforeach()
    try_compile(
        LibDw_LINKS SOURCE_FROM_CONTENT
        libdw.cpp
        "#include <elfutils/libdwfl.h>
        int main(int argc, char**) {
            const Dwfl_Callbacks callbacks{dwfl_linux_proc_find_elf, dwfl_standard_find_debuginfo, nullptr, nullptr};
            Dwfl* const program = dwfl_begin(&callbacks);
            dwfl_linux_proc_report(program, 1);
            Dwarf_Addr bias;
            return dwfl_module_addrdie(dwfl_addrmodule(program, argc), argc, &bias) != nullptr;
        }"
        CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${LibDw_INCLUDE_DIR}"
        LINK_LIBRARIES ${LibDw_LIBRARY} ${LibDw_archives}
        OUTPUT_VARIABLE LibDw_output NO_CACHE)
    if(NOT LibDw_LINKS)
        list(APPEND LibDw_parts LibDw_LINKS)
        string(REGEX MATCH "undefined reference to [^\n;]*|undefined symbol: [^\n;]*" LibDw_error "${LibDw_output}")
        set(LibDw_NOT_FOUND_MESSAGE "no program can be linked with ${LibDw_LIBRARY}: ${LibDw_error}")
        if(LibDw_absent)
            list(JOIN LibDw_absent ", " LibDw_absent)
            string(APPEND LibDw_NOT_FOUND_MESSAGE ", and not found: ${LibDw_absent}")
        endif()
    endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibDw REQUIRED_VARS ${LibDw_parts} REASON_FAILURE_MESSAGE "${LibDw_NOT_FOUND_MESSAGE}")

if(LibDw_FOUND AND NOT TARGET LibDw::LibDw)
    add_library(LibDw::LibDw UNKNOWN IMPORTED)
    set_target_properties(
        LibDw::LibDw
        PROPERTIES IMPORTED_LOCATION "${LibDw_LIBRARY}"
                   INTERFACE_INCLUDE_DIRECTORIES "${LibDw_INCLUDE_DIR}"
                   INTERFACE_LINK_LIBRARIES "${LibDw_archives}")
endif()
