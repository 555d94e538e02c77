#!/usr/bin/env bash
# Installs system packages that are missing, if this is root on a machine with apt-get; else says how to install them.
# Never fails: without bubblewrap `autograder doctor` explains what cannot work, without chromium or PostgreSQL the tests
# that need them are skipped.
#
#   scripts/setup_system.sh bubblewrap chromium postgresql
set -euo pipefail

present() { # present PACKAGE: is its program there?
    case $1 in
        bubblewrap) command -v bwrap ;;
        chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' || command -v initdb ;;
        *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

missing=()
for package in "$@"; do
    present "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

# Pages without any font show boxes instead of letters.
install=("${missing[@]}")
[[ " ${missing[*]} " == *" chromium "* ]] && install+=(fonts-liberation)

# Tests start servers of their own: Debian's package need not make and start one for everybody.
no_server=/etc/postgresql-common/createcluster.d/no-server.conf
no_main_server() {
    [[ " ${missing[*]} " == *" postgresql "* && ! -e /etc/postgresql-common ]] || return 0
    mkdir -p "${no_server%/*}"
    echo 'create_main_cluster = false' >"$no_server"
    trap 'rm -f "$no_server"' EXIT
}

if ! command -v apt-get >/dev/null; then
    echo "setup: missing ${missing[*]}; install with your package manager, for example: dnf install ${missing[*]}"
elif [ "$(id -u)" -ne 0 ]; then
    echo "setup: missing ${missing[*]}; to install: sudo apt-get install ${install[*]}"
else
    started=$SECONDS
    echo "setup: apt-get install ${install[*]} ..."
    log=$(mktemp)
    no_main_server
    if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${install[@]}"; } \
        >"$log" 2>&1 </dev/null; then
        echo "setup: ${install[*]} installed, $((SECONDS - started)) s"
        rm -f "$log"
    else
        tail -n 3 "$log"
        echo "setup: could not install ${install[*]}; the whole log is in $log"
    fi
fi
