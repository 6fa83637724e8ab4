"""The process of one variant: it answers every line of JSON that comes in with one that goes out.

```text
                                                → {"facts": …, "in_streams": …}
{"do": "warm", "width": …, "height": …, "frames": …}  → {"seconds": …, "before_mib": …}
{"do": "round", "least_seconds": …}             → {"encode": …, "decode": …, "first_frame": …, "peak_mib": …}
{"do": "cost"}                                  → {"mflop_per_pixel": …, "counted": …}
```

Instead of an answer there may come ``absent`` with a reason, or ``refused`` for a text that names nothing.
"""

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from tubelet.errors import TubeletError
from tubelet.evaluate.cases import AbsentError, Case, Size
from tubelet.evaluate.speed.grid import Variant
from tubelet.evaluate.speed.memory import Memory
from tubelet.evaluate.systems.opening import open_system
from tubelet.evaluate.systems.system import Setting
from tubelet.evaluate.systems.timing import Times, Timing
from tubelet.jobs.serving import serve


def answers(variant: Variant, requests: Iterable[str], *, device: str) -> Iterator[str]:
    """Give an answer for having started, and then one for every request.

    Args:
        variant: what this process measures.
        requests: lines of JSON.
        device: where it computes.
    """
    try:
        timing = open_system(variant.system, setting_for(variant, device=device)).timing
    except TubeletError as error:
        yield json.dumps({"refused": str(error)})
        return
    except Exception as error:  # noqa: BLE001  other people's models may raise anything
        yield json.dumps({"absent": _reason(error)})
        return
    served = Service(timing, compiled=variant.mode == "compiled")
    yield json.dumps(served.about())
    for line in requests:
        try:
            answer = served.answer(json.loads(line))
        except Exception as error:  # noqa: BLE001
            answer = {"absent": _reason(error)}
        yield json.dumps(answer)


def setting_for(variant: Variant, *, device: str) -> Setting:
    """How the system of a variant works: the text alone says whether clips go through it in streams."""
    return Setting(
        device=device,
        number_format=variant.number_format or "float32",
        compiled=variant.mode == "compiled",
        random_weights=True,
    )


class Service:
    """How a system is timed, and the clip that it was given last."""

    def __init__(self, timing: Timing, *, compiled: bool) -> None:
        self._timing = timing
        self._compiled = compiled
        self._memory = Memory(timing.device)
        self._work: Callable[[], Times] | None = None

    def about(self) -> dict[str, Any]:
        """What is said first."""
        device = self._timing.device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        return {
            "facts": self._timing.about | {"device": name, "memory": str(self._memory)},
            "in_streams": self._timing.in_streams,
        }

    @torch.inference_mode()
    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked.

        Raises:
            AbsentError: it cannot be done; so may whatever else is raised say.
        """
        match request:
            case {"do": "warm", "width": width, "height": height, "frames": frames}:
                return self._warm(Case(size=Size(width, height), frames=frames))
            case {"do": "round", "least_seconds": least} if self._work is not None:
                return self._round(self._work, least)
            case {"do": "cost"}:
                cost = self._timing.cost()
                return {} if cost is None else cost._asdict()
            case _:
                raise AbsentError(f"{request} cannot be answered now")

    def _warm(self, case: Case) -> dict[str, float]:
        """Take a clip in, and go there and back once; twice if the first time compiled."""
        self._work = None
        before = self._memory.begin_mib()
        self._work = self._timing.prepare(case)
        times = self._work()
        if self._compiled:
            times = self._work()
        return {"seconds": times.both, "before_mib": before}

    def _round(self, work: Callable[[], Times], least_seconds: float) -> dict[str, float]:
        """Go there and back until it has taken so long; medians."""
        taken: list[Times] = []
        while not taken or sum(times.both for times in taken) < least_seconds:
            taken.append(work())
        medians = {name: statistics.median(getattr(times, name) for times in taken) for name in Times._fields}
        return medians | {"peak_mib": self._memory.peak_mib()}


def _reason(error: Exception) -> str:
    """What an error says, in one line."""
    text = str(error).strip().partition("\n")[0]
    return text if isinstance(error, AbsentError) else f"{type(error).__name__}: {text}"


def main() -> None:
    """Answer the process that leads."""
    variant, device, threads = Variant(*json.loads(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    serve(lambda lines: answers(variant, lines, device=device))


if __name__ == "__main__":
    main()
