# Installs coir in four components: `coir`, `tls`, `asio` and `tools`. Each has its own files for CMake and pkg-config,
# so a component that was not installed is not found. The install rules of tls and tools are in the folders of their
# targets.
include(CMakePackageConfigHelpers)
include(LinkFlags)

set(coir_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/coir")
set(coir_pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# coir_install_if_built(TARGET COMPONENT OTHERWISE): call it before the install rules of a target. If the target was not
# built, OTHERWISE decides: `stop` ends the installation with an error; `skip` skips the following rules of this folder,
# but also ends with an error if only this component was requested.
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

# coir_install_part(TARGET COMPONENT EXPORT): installs a target, its headers and its export file.
function(coir_install_part target component export)
    install(TARGETS ${target} EXPORT ${export} ARCHIVE COMPONENT ${component} FILE_SET HEADERS COMPONENT ${component})
    install(EXPORT ${export} NAMESPACE coir:: DESTINATION "${coir_cmake_dir}" COMPONENT ${component})
endfunction()

# coir_install_pc(FILE COMPONENT LIBRARY...): configures FILE.in with the linker flags for the dependencies of a static
# library. They are in Libs, not Libs.private, since a static library does not carry its dependencies. Compiling needs
# no flags of these libraries.
function(coir_install_pc file component)
    coir_link_flags(coir_pc_libs ${ARGN})
    list(JOIN coir_pc_libs " " coir_pc_libs)
    configure_file("${PROJECT_SOURCE_DIR}/cmake/${file}.in" "${PROJECT_BINARY_DIR}/${file}" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/${file}" DESTINATION "${coir_pc_dir}" COMPONENT ${component})
endfunction()

# The .pc files compute the prefix from their own location, so that it can be moved, unless CMAKE_INSTALL_LIBDIR is an
# absolute path.
set(coir_pc_prefix "${CMAKE_INSTALL_PREFIX}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    file(RELATIVE_PATH coir_pc_prefix "/${coir_pc_dir}" "/")
    string(REGEX REPLACE "/$" "" coir_pc_prefix "\${pcfiledir}/${coir_pc_prefix}")
endif()
cmake_path(APPEND coir_pc_includedir "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
cmake_path(APPEND coir_pc_libdir "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")

# Projects that use an installed coir find its dependencies with find_package, so targets built here would be missing.
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
          cmake/CoirBlockingTests.cmake cmake/CoirStackClash.cmake cmake/FindLibDw.cmake
    DESTINATION "${coir_cmake_dir}"
    COMPONENT coir)
# pkg-config cannot ask the compiler of its user, but those for x86-64 have the option.
set(coir_pc_cflags)
if(COIR_STACK_CLASH AND COIR_HAS_STACK_CLASH_PROTECTION AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    set(coir_pc_cflags " -fstack-clash-protection")
endif()
coir_install_pc(coir.pc coir ${coir_needs})

# ---- asio, header only ----

if(TARGET coir_asio)
    coir_install_part(coir_asio asio coir_asioTargets)
endif()

# ---- uninstall ----

if(PROJECT_IS_TOP_LEVEL)
    add_custom_target(
        uninstall
        COMMAND ${CMAKE_COMMAND} -P "${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake"
        WORKING_DIRECTORY "${PROJECT_BINARY_DIR}"
        VERBATIM)
endif()
