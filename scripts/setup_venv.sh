#!/usr/bin/env bash
# Makes the virtual environment from requirements.lock and installs the course in it, editable.
#
#   scripts/setup_venv.sh PYTHON FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-}
venv=${2:-.venv}

if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: expected Python 3.11 or later, found '${python:-none}'." >&2
    echo "hint: install Python 3.11, or name one: make PYTHON=/path/to/python3.11" >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "setup: $python has no venv module." >&2
    echo "hint: apt-get install python3-venv (on Debian and Ubuntu)" >&2
    exit 2
fi

step() { # step DESCRIPTION COMMAND...: runs the command, prints how long it took
    local started=$SECONDS
    printf 'setup: %s ... ' "$1"
    shift
    "$@"
    printf '%d s\n' $((SECONDS - started))
}

# A half-made environment has no stamp; venv and pip go on from where they were.
rm -f "$venv/.ready"
step "$("$python" --version) environment in $venv" "$python" -m venv "$venv"
count=$(grep -c == requirements.lock)
step "$count packages from requirements.lock, a minute or a few the first time" \
    "$venv/bin/python" scripts/install_packages.py
step "the course itself" \
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
touch "$venv/.ready"
