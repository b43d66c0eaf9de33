# Finds libdw of elfutils, which turns addresses into file and line: LibDw::LibDw.
# Also installed beside coirConfig.cmake, for programs that link a libcoir.a built with symbols.
find_path(LibDw_INCLUDE_DIR elfutils/libdwfl.h)
find_library(LibDw_LIBRARY dw)
set(LibDw_parts LibDw_LIBRARY LibDw_INCLUDE_DIR)

# The archive brings nothing along: what the shared library loads by itself must be named.
if(LibDw_LIBRARY MATCHES "\\.a$")
    foreach(part elf lzma bz2 z)
        find_library(LibDw_${part}_LIBRARY ${part})
        list(APPEND LibDw_parts LibDw_${part}_LIBRARY)
        list(APPEND LibDw_archives ${LibDw_${part}_LIBRARY})
    endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibDw REQUIRED_VARS ${LibDw_parts})
mark_as_advanced(${LibDw_parts})

if(LibDw_FOUND AND NOT TARGET LibDw::LibDw)
    add_library(LibDw::LibDw UNKNOWN IMPORTED)
    set_target_properties(
        LibDw::LibDw
        PROPERTIES IMPORTED_LOCATION "${LibDw_LIBRARY}"
                   INTERFACE_INCLUDE_DIRECTORIES "${LibDw_INCLUDE_DIR}"
                   INTERFACE_LINK_LIBRARIES "${LibDw_archives}")
endif()
