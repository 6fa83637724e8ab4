"""Where the curves and pictures of a run go beside its own log: TensorBoard, Weights & Biases, Trackio."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

from einops import rearrange
from torch import Tensor

from tubelet.errors import OptionError
from tubelet.files.names import text_name, utf8_path

SINKS = ("tensorboard", "wandb", "trackio")
"""What may be named."""

PROJECT = "tubelet"
"""Under which wandb and trackio list runs."""


@runtime_checkable
class Sink(Protocol):
    """Something that shows how a run goes."""

    def curves(self, points: Mapping[str, float], iteration: int) -> None:
        """Add a point to each of these curves."""
        ...

    def pictures(self, pictures: Mapping[str, Tensor], iteration: int) -> None:
        """Show pictures, ``3 H W`` or several ``b 3 H W``, in [0, 1]."""
        ...

    def close(self) -> None:
        """Say that the session is over."""
        ...


def usual_sinks() -> tuple[str, ...]:
    """What is written by default: TensorBoard's files, if it is installed."""
    return SINKS[:1] if find_spec("tensorboard") is not None else ()


def check_sinks(names: Sequence[str]) -> None:
    """Raise unless all of these are known and installed.

    Raises:
        OptionError: one is not.
    """
    for name in names:
        if name not in SINKS:
            raise OptionError(f"{name!r} shows no runs; known are {', '.join(SINKS)}.")
        if find_spec(name) is None:
            how = "'tubelet[train]'" if name == SINKS[0] else name
            raise OptionError(f"the package {name!r} is missing. Install it with `pip install {how}`.")


def open_sink(name: str, folder: Path, *, first: int, config: Mapping[str, Any]) -> Sink:
    """Begin to show a run, or go on.

    Args:
        name: of `SINKS`.
        folder: of the run.
        first: iterations done before this session.
        config: the numbers of the run.

    Raises:
        OptionError: it is not known, or not installed.
    """
    check_sinks([name])
    return TensorBoard(folder, first=first) if name == SINKS[0] else Service(name, folder, config)


@final
class TensorBoard:
    """Files in the folder ``tensorboard`` of a run; arguments as `open_sink`."""

    def __init__(self, folder: Path, *, first: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  an extra

        board = folder / "tensorboard"
        board.mkdir(exist_ok=True)
        self._stack = ExitStack()
        place = self._stack.enter_context(utf8_path(board))
        self._writer = SummaryWriter(str(place), purge_step=first)

    def curves(self, points: Mapping[str, float], iteration: int) -> None:
        """Add a point to each of these curves."""
        for name, value in points.items():
            self._writer.add_scalar(name, value, iteration)

    def pictures(self, pictures: Mapping[str, Tensor], iteration: int) -> None:
        """Show pictures."""
        for name, picture in pictures.items():
            add = self._writer.add_images if picture.ndim == 4 else self._writer.add_image
            add(name, picture, iteration)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
        self._stack.close()


@final
class Service:
    """A run of wandb, or of trackio, whose functions have the same names.

    A run that goes on is the same run there. What is sent, and where to, is their business: without an
    account ``WANDB_MODE=offline`` lets wandb write files, and trackio writes files always.

    Args:
        name: of the package.
        folder: of the run; its name is that of the run.
        config: the numbers of the run.
    """

    def __init__(self, name: str, folder: Path, config: Mapping[str, Any]) -> None:
        self._package = import_module(name)
        title = text_name(folder.resolve().name)
        begin: dict[str, Any] = {"project": PROJECT, "name": title, "config": dict(config), "resume": "allow"}
        if name == "wandb":
            # A name may be there twice; this tells which run goes on.
            digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()
            begin |= {"id": f"tubelet-{digest[:16]}", "dir": str(folder)}
        self._run = self._package.init(**begin)

    def curves(self, points: Mapping[str, float], iteration: int) -> None:
        """Add a point to each of these curves."""
        self._run.log(dict(points), step=iteration)

    def pictures(self, pictures: Mapping[str, Tensor], iteration: int) -> None:
        """Show pictures; several of one name side by side."""
        shown = {name: self._package.Image(_levels(picture)) for name, picture in pictures.items()}
        self._run.log(shown, step=iteration)

    def close(self) -> None:
        """Say that the session is over."""
        self._run.finish()


def _levels(picture: Tensor) -> Any:  # noqa: ANN401  an array ``H W 3`` of 8 bits
    """A picture, or several side by side, as the array that these packages take."""
    wide = rearrange(picture, "b c H W -> c H (b W)") if picture.ndim == 4 else picture
    return rearrange(wide.clamp(0, 1) * 255, "c H W -> H W c").round().byte().cpu().numpy()
