#!/usr/bin/env bash
# Make .venv with the package, its tests, and the lowest, the pinned or the newest dependencies that are promised.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 -m venv .venv
bounds=$(mktemp)
case ${1:-} in
lowest) python3 scripts/lowest.py >"$bounds" ;;
pinned) cp constraints.txt "$bounds" ;;
newest) ;;
*)
    echo "lowest, pinned or newest, and not '${1:-}'" >&2
    exit 2
    ;;
esac
.venv/bin/pip install --quiet --extra-index-url https://download.pytorch.org/whl/cpu -c "$bounds" -e '.[dev]' -e ./further
touch .venv/.installed
