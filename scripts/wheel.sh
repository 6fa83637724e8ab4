#!/usr/bin/env bash
# Build both wheels into dist/, look at them, and try them in a fresh Python that does not see the repository.
#
#     bash scripts/wheel.sh            PYTHON=python3.12 for another one; PIP_ARGUMENTS for another source of packages
#
# It asks: are the metadata well-formed, is it at most 60 MB, does every command answer, does a clip go there and back.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --disable-pip-version-check build twine
rm -rf dist build/lib build/bdist.*
"$work/tools/bin/python" -m build --outdir dist .
"$work/tools/bin/python" -m build --outdir dist further
"$work/tools/bin/twine" check --strict dist/*

wheel=$(ls dist/tubelet-0*.whl)
further=$(ls dist/tubelet_weights-*.whl)
for each in "$wheel" "$further"; do
    size=$(wc -c <"$each")
    echo "$each: $((size / 1000)) kB"
    [ "$size" -le 60000000 ] || { echo "the wheel has more than 60 MB" >&2; exit 1; }
done

"$python" -m venv "$work/user"
# shellcheck disable=SC2086  several arguments
"$work/user/bin/pip" install --quiet --disable-pip-version-check ${PIP_ARGUMENTS:-} -c constraints.txt "$wheel"
cp scripts/smoke.py "$work/smoke.py"
cd "$work"
env -u PYTHONPATH "$work/user/bin/python" smoke.py
"$work/user/bin/pip" install --quiet --disable-pip-version-check --no-deps "$OLDPWD/$further"
models=$(env -u PYTHONPATH "$work/user/bin/tubelet" models)  # whole: what reads a pipe to its first match ends who writes it
grep -q tubelet-fsq-deep <<<"$models"
