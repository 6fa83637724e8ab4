"""A process that squares numbers, and ends where a request says so; imports nothing that takes long."""

import json
import os
import signal
import sys
from pathlib import Path


def say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


say({})
for line in sys.stdin:
    given = json.loads(line)
    requests = given.get("batch", [given])
    for request in requests:
        mark = Path(sys.argv[1]) / f"{request['n']}.died"
        if request.get("die") == "always" or (request.get("die") == "once" and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    squares = [{"square": request["n"] ** 2} for request in requests]
    full = {"no_output": "the disk is full"} if any(request.get("full") for request in requests) else None
    say(full or ({"batch": squares} if "batch" in given else squares[0]))
