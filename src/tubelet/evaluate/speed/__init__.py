"""Speed, latency, memory and cost of systems, interleaved in one run. The way in is `run`.

The process that leads imports no torch: every system computes in a process of its own (`worker`).
"""
