# Installs coir in four components: `coir`, `tls`, `asio` and `tools`. Each carries the files that make it known to CMake
# and pkg-config, so a part that was not installed is not found. The rules of tls and tools lie in the folders of their
# targets.
include(CMakePackageConfigHelpers)
include(LinkFlags)

set(coir_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/coir")
set(coir_pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# coir_install_if_built(TARGET COMPONENT OTHERWISE): goes before the install rules of a target. Where the target was not
# built, OTHERWISE is done: `stop` the installation, or `skip` the rest of this folder's rules, unless it is the component
# that was asked for.
function(coir_install_if_built target component otherwise)
    set(advice "'${target}' was not built: cmake --build \\\"${PROJECT_BINARY_DIR}\\\" --target ${target}")
    set(stop "message(FATAL_ERROR \"coir: ${advice}\")")
    set(skip "message(STATUS \"Not installed: ${component}, as ${advice}\")\n        return()")
    if(otherwise STREQUAL "stop")
        set(skip "${stop}")
    endif()
    install(
        CODE "if(NOT EXISTS \"$<TARGET_FILE:${target}>\")
    if(CMAKE_INSTALL_COMPONENT)
        ${stop}
    else()
        ${skip}
    endif()
endif()"
        COMPONENT ${component})
endfunction()

# coir_install_part(TARGET COMPONENT EXPORT)
function(coir_install_part target component export)
    install(TARGETS ${target} EXPORT ${export} ARCHIVE COMPONENT ${component} FILE_SET HEADERS COMPONENT ${component})
    install(EXPORT ${export} NAMESPACE coir:: DESTINATION "${coir_cmake_dir}" COMPONENT ${component})
endfunction()

# coir_install_pc(FILE COMPONENT LIBRARY...): FILE.in, with the linker's flags for what an archive of ours needs. They are
# public, as there is no shared library that would bring them along. A program needs no flag of those libraries to compile.
function(coir_install_pc file component)
    coir_link_flags(coir_pc_libs ${ARGN})
    list(JOIN coir_pc_libs " " coir_pc_libs)
    configure_file("${PROJECT_SOURCE_DIR}/cmake/${file}.in" "${PROJECT_BINARY_DIR}/${file}" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/${file}" DESTINATION "${coir_pc_dir}" COMPONENT ${component})
endfunction()

# The .pc files find the prefix from where they lie, so that it can be moved; not where the folder is given as a whole.
set(coir_pc_prefix "${CMAKE_INSTALL_PREFIX}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    file(RELATIVE_PATH coir_pc_prefix "/${coir_pc_dir}" "/")
    string(REGEX REPLACE "/$" "" coir_pc_prefix "\${pcfiledir}/${coir_pc_prefix}")
endif()
cmake_path(APPEND coir_pc_includedir "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
cmake_path(APPEND coir_pc_libdir "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")

# An installed coir is used with what find_package finds then.
set(built_here)
foreach(needed spdlog::spdlog Boost::context ${coir_asio_needs} LibDw::LibDw OpenSSL::SSL)
    if(TARGET ${needed})
        get_target_property(is_found ${needed} IMPORTED)
        if(NOT is_found)
            list(APPEND built_here ${needed})
        endif()
    endif()
endforeach()
if(built_here)
    list(JOIN built_here ", " built_here)
    message(FATAL_ERROR "COIR_INSTALL is ON, but an installed coir would not find what this project builds itself: "
                        "${built_here}. Set COIR_INSTALL to OFF, or install these first and have find_package find them.")
endif()

# ---- the library ----

coir_install_if_built(coir coir stop)
coir_install_part(coir coir coirTargets)
configure_package_config_file(cmake/coirConfig.cmake.in coirConfig.cmake INSTALL_DESTINATION "${coir_cmake_dir}")
write_basic_package_version_file(coirConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
    FILES "${PROJECT_BINARY_DIR}/coirConfig.cmake" "${PROJECT_BINARY_DIR}/coirConfigVersion.cmake" cmake/CoirBoost.cmake
          cmake/FindLibDw.cmake
    DESTINATION "${coir_cmake_dir}"
    COMPONENT coir)
coir_install_pc(coir.pc coir ${coir_needs})

# ---- asio, headers alone ----

if(TARGET coir_asio)
    coir_install_part(coir_asio asio coir_asioTargets)
endif()

# ---- and out again ----

if(PROJECT_IS_TOP_LEVEL)
    add_custom_target(
        uninstall
        COMMAND ${CMAKE_COMMAND} -P "${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake"
        WORKING_DIRECTORY "${PROJECT_BINARY_DIR}"
        VERBATIM)
endif()
