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
    request = json.loads(line)
    mark = Path(sys.argv[1]) / f"{request['n']}.died"
    if request.get("die") == "always" or (request.get("die") == "once" and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    full = {"no_output": "the disk is full"} if request.get("full") else None
    say(full or {"square": request["n"] ** 2})
