#!/bin/bash
# Shared by the scripts of tools/ and .ci/, which source it. It changes to the project's root.
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.." || exit 1

# Debian packages for the library and its first sample; and for the tests and the other samples, including the programs
# that these connect to.
library_packages=(cmake ninja-build g++ pkg-config libboost-context-dev libspdlog-dev doctest-dev libdw-dev)
coir_packages=("${library_packages[@]}" libcli11-dev nlohmann-json3-dev libssl-dev libboost-dev libhiredis-dev
    libpq-dev libcurl4-openssl-dev liburiparser-dev redis-server postgresql nginx-light curl openssl wrk slowhttptest)

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# Installs the named Debian packages that are missing. If it has no permission, it prints them and ends the script.
# Without apt it installs nothing: CMake then names the missing packages, also for other systems.
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
    # A machine that has just started may be running an update: wait for apt's lock.
    local install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300
        --no-install-recommends install "${missing[@]}")
    "${install[@]}" >/dev/null 2>&1 && return  # fails if the package lists are missing or out of date
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

# The test of the README runs the commands that the README shows. This prevents them from running that test again.
end_if_in_readme() {
    if [ -n "${COIR_IN_README:-}" ]; then
        echo "${0##*/}: built; inside the test of the README it stops here"
        exit 0
    fi
}
