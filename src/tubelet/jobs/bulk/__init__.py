"""Many videos to one data set of latents or tokens, by several processes, resumable to the clip.

`sources` reads what there is, `plan` says which clip goes into which shard, `worker` encodes one clip into a
part, `shard_work` puts parts together to shards, `run` leads. `tubelet.data.shards` says what a data set on
disk is.
"""
