"""What a run says about itself while it goes on: a line of JSON per step, and TensorBoard if it is there."""

import json
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tubelet.data.crops import Crops
from tubelet.files import replacing
from tubelet.files.names import utf8_path
from tubelet.train.network import Drawn, Network
from tubelet.train.state import TrainState
from tubelet.train.step import StepFigures
from tubelet.train.token_figures import TokenFigures
from tubelet.video.pixels import to_model

LOG_FILE = "log.jsonl"

_HAS_BOARD = find_spec("tensorboard") is not None

_STRIP_FRAMES = 9
_PICTURES = 4


class Journal:
    """Writes the figures of every step to ``log.jsonl``, and pictures and curves for TensorBoard.

    Args:
        folder: of the run.
        first_step: of this session; lines of a lost session after it are dropped, they will be written again.
        writes: whether this process is the one that writes.
    """

    def __init__(self, folder: Path, *, first_step: int, writes: bool) -> None:
        self._board: Any = None
        self._stack = ExitStack()
        self._file: TextIO | None = None
        self._tokens: TokenFigures | None = None
        if not writes:
            return
        path = folder / LOG_FILE
        if path.exists():
            lines = [line for line in _whole_lines(path) if line["step"] <= first_step]
            with replacing(path, force=True) as beside:
                beside.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8", buffering=1)
        if _HAS_BOARD:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  an extra

            board = folder / "tensorboard"
            board.mkdir(exist_ok=True)
            place = self._stack.enter_context(utf8_path(board))
            self._board = SummaryWriter(str(place), purge_step=first_step)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()
        self._stack.close()

    def step(self, state: TrainState, figures: StepFigures, *, waited: float) -> None:
        """Write the figures of the step that was just done.

        Args:
            state: after the step.
            figures: of the step.
            waited: seconds that were spent waiting for data so far in this stage.
        """
        if self._file is None:
            return
        line: dict[str, Any] = {
            "step": state.step,
            "seconds": round(state.seconds, 3),
            "rate": figures.rate,
            "gradient": figures.gradient,
            "taken": figures.taken,
            "waited": round(waited, 3),
        } | figures.losses
        if figures.digits is not None:
            line |= self._tokens_of(state).step(figures.digits)
        self._file.write(json.dumps(line) + "\n")
        if self._board is not None and state.step % 10 == 0:
            for name, value in figures.losses.items():
                self._board.add_scalar(f"loss/{name}", value, state.step)
            for name in ("share", "perplexity", "total_correlation") if "tokens" in line else ():
                self._board.add_scalar(f"tokens/{name}", line["tokens"][name], state.step)
            self._board.add_scalar("rate", figures.rate, state.step)
            self._board.add_scalar("gradient", figures.gradient, state.step)

    def _tokens_of(self, state: TrainState) -> TokenFigures:
        """What counts the tokens, made when there are some; they are those of the process that writes."""
        if self._tokens is None:
            assert state.network.quantizer is not None
            self._tokens = TokenFigures(state.network.quantizer.bases)
        return self._tokens

    def pictures(self, state: TrainState, crops: Crops) -> None:
        """Show reconstructions of fixed crops: middle frames as images, one clip as a strip of frames.

        All processes call it: where weights are split, they can only be used together.
        """
        if not _HAS_BOARD:
            return
        clips = [int(i * (len(crops) - 1) / (_PICTURES - 1)) for i in range(_PICTURES)]
        originals = torch.cat([to_model(crops[i][:_STRIP_FRAMES].copy()) for i in clips])
        back = _reconstructed(state.network, originals)
        if self._board is None:
            return
        both = torch.cat([originals, back], dim=3).clamp(-1, 1) / 2 + 0.5
        middle = both.shape[2] // 2
        self._board.add_images("reconstructions", both[:, :, middle], state.step)
        self._board.add_image("strip", rearrange(both[0], "c T H W -> c H (T W)"), state.step)


@torch.no_grad()
def _reconstructed(network: Network, video: Float[Tensor, "b 3 T H W"]) -> Float[Tensor, "b 3 T H W"]:
    """What the weights as they are make of clips, all channels kept."""
    tokenizer = network.tokenizer
    frames, height, width = video.shape[2:]
    grid = tokenizer.grouping.grid(frames, height, width)
    counts = torch.full((len(video), 1, *grid), tokenizer.channels, device=tokenizer.device)
    return network(video.to(tokenizer.device), Drawn(counts=counts)).video.cpu()


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last one that a kill cut off is left out."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The figures of every step of a run, in order."""
    path = folder / LOG_FILE
    return _whole_lines(path) if path.exists() else []
