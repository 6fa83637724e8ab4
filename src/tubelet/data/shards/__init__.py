"""Data sets of encoded clips on disk: a folder of shards, each with an index, under one description.

```text
DATASET/
  dataset.json               what all of it was made with: tokenizer, settings, number of shards
  shards/shard-00000.tar     clips of this shard, in the order of their keys (or .parquet, or a folder)
  shards/shard-00000.json    what is in it: a line of facts for each clip, digests, which clips failed
  errors.jsonl               clips that failed, with path and reason; not there if none did
```
"""
