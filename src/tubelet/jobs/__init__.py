"""Work in pieces that any process can do: a plan of jobs, a part on disk for each, processes that do them.

`plan` says what there is to do, `parts` keeps what is done, so that an interrupted run goes on from it, and
`pool` lets processes of this machine (`process`, `serving`) do the rest. What the work is, its users know:
see `tubelet.evaluate.worker`.
"""
