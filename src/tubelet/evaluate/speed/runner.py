"""One variant on its way through all cases: its process, what it took, and why it has no figure."""

from typing import Any

from tubelet.evaluate.cases import AbsentError, Case, LateError
from tubelet.evaluate.speed.forecast import Forecast
from tubelet.evaluate.speed.grid import Variant
from tubelet.evaluate.speed.process import Process

START_SECONDS = 600.0
"""What a process may take to start; weights may have to be fetched."""

WARM_SECONDS, COMPILE_SECONDS = 30.0, 900.0
"""What the first time may take beyond its patience."""


class Runner:
    """Starts, warms up and times a variant, and remembers the case that it is at.

    Args:
        variant: what is measured.
        device: where it computes.
        threads: with how many.
    """

    def __init__(self, variant: Variant, *, device: str, threads: int) -> None:
        self.variant = variant
        self.facts: dict[str, Any] = {}
        self._device, self._threads = device, threads
        self._process: Process | None = None
        self._forecast = Forecast(on_cpu=device == "cpu")
        self._in_streams = False
        self._impossible: str | None = None
        self._absent: str | None = None
        self._rounds: list[dict[str, float]] = []
        self._before_mib = 0.0

    def start(self) -> None:
        """Start a process, unless it is known that it cannot measure anything."""
        if self._impossible is None:
            self._process = Process(self.variant, device=self._device, threads=self._threads)

    def wait(self) -> None:
        """Wait until the process is ready.

        Raises:
            OptionError: the text of the system names nothing.
        """
        if self._process is None:
            return
        try:
            first = self._process.answer(patience=START_SECONDS)
        except AbsentError as error:
            self._impossible = str(error)
            self.stop()
        else:
            self.facts, self._in_streams = first["facts"], first["in_streams"]

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def warm(self, case: Case) -> None:
        """Give it a clip, and let it go there and back once; not counted."""
        self._absent, self._rounds = self._impossible, []
        if self._absent is None:
            self._absent = self._forecast.objection(case, in_streams=self._in_streams)
        if self._absent is not None:
            return
        if self._process is None or not self._process.is_alive:
            self.stop()
            self.start()
            self.wait()
        more = COMPILE_SECONDS if self.variant.mode == "compiled" else WARM_SECONDS
        done = self._ask(case, {"do": "warm", **case.to_json()}, patience=case.patience + more)
        if done is None:
            return
        self._before_mib = done["before_mib"]
        if done["seconds"] > case.patience:
            self._absent = f"it took {done['seconds']:.3g} s; the patience is {case.patience:g} s"
            self._forecast.give_up(case, self._absent, patience=case.patience)

    def round(self, case: Case, *, least_seconds: float) -> None:
        """Time the clip that it was given, unless it was too much."""
        if self._absent is not None:
            return
        request = {"do": "round", "least_seconds": least_seconds}
        done = self._ask(case, request, patience=2 * case.patience + least_seconds)
        if done is not None:
            self._rounds.append(done)

    def row(self, case: Case) -> dict[str, Any]:
        """What came out: the seconds of every round and memory, or why there is nothing."""
        head = self.variant.to_json() | case.to_json()
        if self._absent is not None:
            return head | {"absent": self._absent}
        seconds = {
            part: [each[part] for each in self._rounds] for part in ("encode", "decode", "first_frame")
        }
        peak = max(each["peak_mib"] for each in self._rounds)
        both = min(map(sum, zip(seconds["encode"], seconds["decode"], strict=True)))
        self._forecast.learn(case, seconds=both, taken_mib=peak - self._before_mib)
        return head | {"seconds": seconds, "before_mib": self._before_mib, "peak_mib": peak}

    def cost(self, *, patience: float) -> dict[str, Any]:
        """Operations of a pixel and how they were counted; nothing where nobody can."""
        if self._process is None or not self._process.is_alive:
            return {}
        try:
            return self._process.ask({"do": "cost"}, patience=patience)
        except AbsentError as error:
            return {"cost_absent": str(error)}

    def _ask(self, case: Case, request: dict[str, Any], *, patience: float) -> dict[str, Any] | None:
        """An answer, or none and the reason kept."""
        if self._process is None:
            self._absent = self._impossible
            return None
        try:
            return self._process.ask(request, patience=patience)
        except LateError as error:
            self._absent = str(error)
            self._forecast.give_up(case, self._absent, patience=case.patience)
        except AbsentError as error:
            self._absent = str(error)
            if not self._process.is_alive:
                self._forecast.give_up(case, self._absent)
        return None
