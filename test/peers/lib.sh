# Sourced by the tests of coir's samples against third-party programs. Their usage: peers/NAME BUILD.
set -uo pipefail
samples=$(realpath "$1/samples")
apps=$(realpath "$1/apps")
work=$(mktemp -d)
started=()

end_all() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
    rm -rf "$work"
}
trap end_all EXIT

fail() {
    echo "FAILED: $*"
    local log
    for log in "$work"/*.log; do [ -e "$log" ] && { echo "---- ${log##*/}"; tail -n 40 "$log"; }; done
    exit 1
}

# free_port: prints a port on which no process listens, outside of the ephemeral range (32768 and up).
free_port() {
    local port
    for ((;;)); do
        port=$((10000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

# wait_for PORT: waits until a process listens on PORT.
wait_for() {
    local tries
    for ((tries = 0; tries < 200; ++tries)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.05
    done
    fail "no process listens on port $1"
}

# start NAME PORT COMMAND...: runs COMMAND in the background, with its output in NAME.log, and waits until it listens on
# PORT. Sets $pid.
start() {
    local name=$1 port=$2
    shift 2
    "$@" >"$work/$name.log" 2>&1 &
    pid=$!
    started+=("$pid")
    wait_for "$port"
}

# same WHAT ACTUAL EXPECTED
same() { [ "$2" = "$3" ] || fail "$1: got '$2', expected '$3'"; }

# says WHAT TEXT PATTERN: checks that TEXT matches PATTERN.
says() { grep -Eq -- "$3" <<<"$2" || fail "$1: no '$3' in: $2"; }

# make_authority: makes an authority and a certificate signed by it for localhost and 127.0.0.1, in
# $work/{authority,chain,key}.pem; and in $work/other.pem an unrelated authority. (A machine without ca-certificates has
# no authorities at all.)
make_authority() {
    (
        cd "$work" || exit 1
        for name in authority other; do
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$name.key" -out "$name.pem" -days 2 \
                -subj "/CN=$name" -addext basicConstraints=critical,CA:TRUE || exit 1
        done
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj '/CN=localhost' &&
        openssl x509 -req -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -out chain.pem \
            -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1')
    ) >"$work/openssl.log" 2>&1 || fail "openssl made no certificate"
}
