# Shared by the scripts of this folder. ctest calls them with SOURCE, BUILD (the build folder of coir), FOLDER (a work
# folder), GENERATOR and CXX. Each configuration takes a second or two; coir is not compiled again.
source=$1 build=$2 folder=$3 generator=$4 compiler=$5
rm -rf "$folder"
mkdir -p "$folder"
said=$folder/said
export CXX=$compiler

fail() { echo "FAILED: $*"; if [ -e "$said" ]; then cat "$said"; fi; exit 1; }
passes() { echo "+ $*"; "$@" >"$said" 2>&1 || fail "should have passed: $*"; }
# fails_with WORDS COMMAND...: expects COMMAND to fail and its output to contain WORDS, however CMake wraps them.
fails_with() {
    local words=$1
    shift
    echo "+ $*"
    if "$@" >"$said" 2>&1; then fail "should have failed: $*"; fi
    says "$words"
}
says() { tr -s ' \n' '  ' <"$said" | grep -qF -- "$1" || fail "should have said: $1"; }
is_there() { local file; for file; do [ -e "$file" ] || fail "$file is missing"; done; }
is_not_there() { local file; for file; do [ ! -e "$file" ] || fail "$file is there"; done; }

# configure FOLDER OPTION...: configures coir only. The caller copies the built libraries to FOLDER.
configure() {
    cmake -G "$generator" -S "$source" -B "$@" -DCMAKE_BUILD_TYPE=Release -DCOIR_BUILD_TESTS=OFF -DCOIR_BUILD_SAMPLES=OFF \
        -DCOIR_BUILD_BENCH=OFF
}
