#!/usr/bin/env bash
# Installs the grader, with the versions of its libraries that it was tested with. Runs once, when the image is built.
set -euo pipefail

files=$(cd "$(dirname "$0")" && pwd)
[ -f "$files/settings.json" ] || files=/autograder/source # Gradescope may run a copy of this script
home=${GRADER_HOME:-/opt/grader}
mkdir -p "$home"

has() { command -v "$1" >/dev/null; }

if ! { has git && has python3 && { has uv || python3 -c 'import ensurepip' 2>/dev/null; }; }; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates git python3 python3-venv
fi

uv=uv
if ! has uv; then
    python3 -m venv "$home/uv"
    "$home/uv/bin/pip" install --quiet uv
    uv=$home/uv/bin/uv
fi

# The grader runs as another user. Copies, not links: that user may write to the cache, and must not write to the grader.
export UV_CACHE_DIR=${UV_CACHE_DIR:-$home/cache} UV_PYTHON_INSTALL_DIR=$home/python UV_LINK_MODE=${UV_LINK_MODE:-copy}
"$uv" venv --quiet --clear --python '>=3.11' "$home/venv"
export VIRTUAL_ENV=$home/venv
"$uv" pip install --quiet --requirement "$files/requirements.txt"
"$uv" pip install --quiet --no-cache --no-deps --compile-bytecode "$files"/*.whl

# A submission can read what is installed here, and grading needs no solution.
site=$("$home/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
rm -rf "$site/api" "$site"/exercises/*/solution
"$home/venv/bin/grading" --help >/dev/null
echo "The grader is installed in $home."
