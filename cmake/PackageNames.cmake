# The names of coir's dependencies in several distributions.
set(coir_of_Boost.Context "Boost.Context 1.74 or newer" libboost-context-dev boost-devel boost boost-dev)
set(coir_of_spdlog "spdlog" libspdlog-dev spdlog-devel spdlog spdlog-dev)
set(coir_of_libdw "libdw of elfutils" libdw-dev elfutils-devel libelf elfutils-dev)
set(coir_of_OpenSSL "OpenSSL 3.0 or newer" libssl-dev openssl-devel openssl openssl-dev)
set(coir_of_CLI11 "CLI11" libcli11-dev cli11-devel cli11 cli11)
set(coir_of_nlohmann_json "nlohmann-json" nlohmann-json3-dev json-devel nlohmann-json nlohmann-json)
set(coir_of_doctest "doctest" doctest-dev doctest-devel doctest doctest-dev)

# coir_package_names(RESULT NAME): "spdlog: not found. Debian, Ubuntu: libspdlog-dev; Fedora: ..."
function(coir_package_names result name)
    set(names ${coir_of_${name}})
    list(POP_FRONT names what debian fedora arch alpine)
    set(${result}
        "${what}: not found. Debian, Ubuntu: ${debian}; Fedora: ${fedora}; Arch: ${arch}; Alpine: ${alpine}"
        PARENT_SCOPE)
endfunction()

# coir_say_left_out(WHAT NAME REASON): prints one line for an optional part that is left out. An empty REASON means that
# the package NAME was not found.
function(coir_say_left_out what name reason)
    if(NOT reason)
        coir_package_names(reason ${name})
    endif()
    message(STATUS "coir: leaves out ${what}: ${reason}")
endfunction()
