#!/bin/bash
# Shared by tools/run-samples, tools/run-tests and .ci/run, which source it and then stand in the project's root.
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.." || exit 1

# What the library, its tests and its samples need on Debian; then what they talk with.
coir_packages=(cmake ninja-build g++ pkg-config libboost-context-dev libspdlog-dev doctest-dev libdw-dev
    libcli11-dev nlohmann-json3-dev libssl-dev libboost-dev libhiredis-dev
    libpq-dev libcurl4-openssl-dev redis-server postgresql nginx-light curl openssl wrk slowhttptest)

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# Installs those of the named packages that are missing, or says which they are and ends the script.
install_packages() {
    local missing=() package root=()
    for package; do installed "$package" || missing+=("$package"); done
    ((${#missing[@]})) || return 0

    if ((EUID != 0)); then
        if [ -t 0 ]; then root=(sudo); else root=(sudo -n); fi  # nobody is there to type a password
    fi
    if ! command -v apt-get >/dev/null || { ((EUID != 0)) && ! "${root[@]}" true 2>/dev/null; }; then
        echo "Missing packages, and neither root nor sudo to install them with apt. Please install:" >&2
        echo "    ${missing[*]}" >&2
        exit 1
    fi

    echo "installing ${missing[*]}"
    local install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}")
    "${install[@]}" >/dev/null 2>&1 && return  # fails where the package lists are missing or out of date
    "${root[@]}" apt-get -qq update && "${install[@]}" >/dev/null || { echo "apt could not install ${missing[*]}" >&2; exit 1; }
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
