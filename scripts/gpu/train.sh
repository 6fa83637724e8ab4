#!/usr/bin/env bash
# One session of a training run on a machine that is lent for minutes: unpack the crops if they are not there yet,
# train or go on where the last session stopped, export, and leave small files only.
#
#   scripts/gpu/train.sh RECIPE RESULTS SECONDS TOTAL PACK...
#
# RECIPE   name of a recipe, or package.module:function
# RESULTS  folder for the tokenizer, run.json and log.jsonl
# SECONDS  after which this session is over, its export done
# TOTAL    seconds of training in all sessions; the learning rate falls to zero just then
# PACK     what scripts/gpu/pack.py wrote
set -euo pipefail

if [ $# -lt 5 ]; then
    sed -n '5p' "$0" >&2
    exit 2
fi
recipe=$1 results=$2 limit=$3 total=$4
shift 4
export_seconds=45
root=$(cd "$(dirname "$0")/../.." && pwd)
name=tubelet-${recipe//[^A-Za-z0-9]/-}
data=runs/gpu-data run=runs/gpu-$name
export PYTHONPATH=$root/src${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

if [ ! -f "$data/index.json" ]; then
    rm -rf "$data"
    python3 "$root/scripts/gpu/unpack.py" "$@" -o "$data"
fi

# On SIGTERM training writes a checkpoint and exits with 130.
timeout --preserve-status --signal TERM --kill-after 30 "$((limit - SECONDS - export_seconds))" \
    python3 -m tubelet train "$recipe" --data "$data" -o "$run" --time-limit "${total}s" --resume || [ $? -eq 130 ]
echo "trained until second $SECONDS: $(tail -n 1 "$run/log.jsonl")"

mkdir -p "$results"
python3 -m tubelet export-checkpoint "$run" --data "$data" -o "$results/$name" --force
cp "$run/run.json" "$run/log.jsonl" "$results"
find "$results" -type f -size +16M -exec echo "larger than 16 MB: {}" \;
echo "done at second $SECONDS"
