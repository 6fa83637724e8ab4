"""What every function from file to file may be told, said once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypedDict

from tubelet.errors import OptionError
from tubelet.given import check_called, checked_memory
from tubelet.tokenizers.streams.state import DEFAULT_MEMORY


class FileOptions(TypedDict, total=False):
    """What every function from file to file takes as keywords; all of it may be left out.

    Attributes:
        audio: whether the source's audio packets are carried along, untouched (default: yes).
        memory: bytes that frames in flight, the networks' state and the work on them may take (default:
            1 GiB).
        prior: whether a learned prior codes the symbols of a ``.tube`` file that is written, if the tokenizer
            has one (default: yes): about a third smaller, for some more time.
        device: where a tokenizer computes that is not a checkpoint already: ``cpu`` (default), ``cuda`` or
            ``cuda:N``.
        force: whether an existing target is replaced (default: no).
        on_total: called once, when the work begins, with the number of frames that there are to do; with none
            where the source does not say.
        on_frames: called with the number of frames that each run brought.
    """

    audio: bool
    prior: bool
    memory: int
    device: str
    force: bool
    on_total: Callable[[int | None], None]
    on_frames: Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The same with their defaults: `FileOptions` says what they are.

    Raises:
        OptionError: `memory` is not a whole number, or what is to be called is no function.
    """

    audio: bool = True
    prior: bool = True
    memory: int = DEFAULT_MEMORY
    device: str = "cpu"
    force: bool = False
    on_total: Callable[[int | None], None] = lambda _: None
    on_frames: Callable[[int], None] = lambda _: None

    def __post_init__(self) -> None:
        checked_memory(self.memory)
        check_called(on_total=self.on_total, on_frames=self.on_frames)

    def unreported(self) -> "Options":
        """The same without reports, for what is read once more than is said."""
        return replace(self, on_total=lambda _: None, on_frames=lambda _: None)


def seed_of(seed: int | None, *, refine: int) -> int:
    """The seed of the noise that frames are refined with; 0 where none is given.

    Raises:
        OptionError: one is given, and frames are not refined.
    """
    if seed is not None and refine == 0:
        raise OptionError(
            f"seed is {seed} and refine is 0: a seed chooses the detail that refining makes up. Refine in "
            "some steps, such as 4, with a tokenizer that has a flow, or leave the seed out."
        )
    return seed or 0
