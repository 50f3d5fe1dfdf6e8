# shellcheck shell=bash
# What a step needs of the system. To be sourced.

# Runs a command as root.
as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        # A question could not be answered: steps have no terminal.
        sudo -n "$@"
    fi
}

# Installs the packages of Debian that give missing commands, each named as command:package.
needs() {
    local missing=() pair
    for pair in "$@"; do
        # Builtins do not count: the tests start `kill` as a program.
        type -P "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    ((${#missing[@]} > 0)) || return 0
    as_root apt-get update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}
