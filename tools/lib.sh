#!/bin/bash
# Shared by tools/run-samples, tools/run-tests and .ci/run, which source it and then stand in the project's root.
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.." || exit 1

# On Debian: what the library and its first sample need; and what the tests and the other samples need, with the programs
# that they talk to.
library_packages=(cmake ninja-build g++ pkg-config libboost-context-dev libspdlog-dev doctest-dev libdw-dev)
coir_packages=("${library_packages[@]}" libcli11-dev nlohmann-json3-dev libssl-dev libboost-dev libhiredis-dev
    libpq-dev libcurl4-openssl-dev redis-server postgresql nginx-light curl openssl wrk slowhttptest)

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# Installs those of the named Debian packages that are missing. Where it may not, it says which they are and ends the script.
# Without apt it installs nothing: CMake then names what is missing, and what other systems call it.
install_packages() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || return 0
    local missing=() package root=()
    for package; do installed "$package" || missing+=("$package"); done
    ((${#missing[@]})) || return 0

    if ((EUID != 0)); then
        if [ -t 0 ]; then root=(sudo); else root=(sudo -n); fi  # without a terminal, sudo cannot ask for a password
        if ! "${root[@]}" true; then
            printf '%s: these packages are missing, and sudo does not allow this user to install them. Run as root:\n    %s\n' \
                "${0##*/}" "apt-get install ${missing[*]}" >&2
            exit 1
        fi
    fi

    echo "installing ${missing[*]}"
    # A machine that has just started may be updating itself: wait for its lock.
    local install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300
        --no-install-recommends install "${missing[@]}")
    "${install[@]}" >/dev/null 2>&1 && return  # fails where the package lists are missing or out of date
    { "${root[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update && "${install[@]}" >/dev/null; } ||
        { echo "${0##*/}: apt-get could not install the packages named above; its messages say why" >&2; exit 1; }
}

# configure_and_build PRESET TARGET...
configure_and_build() {
    local said
    echo "configuring build/$1"
    said=$(cmake --preset "$1" 2>&1) || { echo "$said"; exit 1; }
    echo "building ${*:2}"
    cmake --build --preset "$1" --parallel "$(nproc)" --target "${@:2}" || exit 1
}

# A README that shows these commands is a test, and its commands are run by it: without this they would start each other.
end_if_in_readme() {
    if [ -n "${COIR_IN_README:-}" ]; then
        echo "${0##*/}: built; it goes no further inside the test of the README"
        exit 0
    fi
}
