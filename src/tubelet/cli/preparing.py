"""Cutting crops out of the clips of sources: what `tubelet prepare` and `tubelet train` do alike."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli.losses import losses_summed
from tubelet.cli.progress import progress
from tubelet.errors import DamageWarning, OptionError, VideoError
from tubelet.files.names import real_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tubelet.data.crops import Clip, Crops
    from tubelet.data.cutting import PrepareConfig
    from tubelet.jobs.failures import OnError
    from tubelet.jobs.rows import Row
    from tubelet.video.ranges import AnyVideo


def prepared(
    rows: "Sequence[Row]",
    folder: Path,
    config: "PrepareConfig",
    *,
    compressed: bool,
    on_error: "OnError",
    force: bool = False,
) -> "Crops":
    """Cut crops out of clips, and show how far it is; each clip that fails is warned of.

    Args:
        rows: clips.
        folder: where the crops go.
        config: what is cut out of each clip.
        compressed: whether crops are compressed.
        on_error: whether a clip that is damaged is skipped, or ends the work.
        force: whether another preparation in that folder is replaced.

    Raises:
        TubeletError: as `tubelet.data.prepare.prepare_crops`; a clip is damaged, and `on_error` is ``stop``.
    """
    from tubelet.data.prepare import prepare_crops
    from tubelet.jobs.sources import local_copies

    def on_skip(_video: "AnyVideo", clip: "Clip") -> None:
        if clip.damaged and on_error == "stop":
            raise VideoError(f"{clip.name}: {clip.skipped}")

    with (
        losses_summed(len(rows)),
        progress("preparing", total=len(rows), unit="clips") as advance,
        local_copies(rows) as copies,
    ):
        crops = prepare_crops(
            [row.video for row in rows],
            folder,
            config,
            compressed=compressed,
            force=force,
            on_clip=lambda _: advance(1),
            on_skip=on_skip,
            opened=copies.opened,
        )
    _warn(crops, len(rows))
    return crops


def rows_outside(rows: "Sequence[Row]", folder: Path, *, exclude: "Sequence[str]" = ()) -> "list[Row]":
    """The clips that are not left out, and are not crops: these are arrays, and may lie in the same folder.

    Args:
        rows: clips.
        folder: of the crops.
        exclude: patterns of names.

    Raises:
        OptionError: none is left.
    """
    crops = real_path(folder)
    left = [
        row
        for row in rows
        if not any(Path(row.path).match(pattern) for pattern in exclude)
        and not real_path(Path(row.path)).is_relative_to(crops)
    ]
    if not left:
        raise OptionError(f"none of {len(rows)} clips is left; at least one is needed.")
    return left


def _warn(crops: "Crops", clips: int) -> None:
    """Say which clips are damaged; the exit code is then 1."""
    if cut_short := [clip.name for clip in crops.clips if clip.damaged]:
        warnings.warn(
            f"the end of {len(cut_short)} of {clips} clips is missing, their crops are of what is left: "
            f"{', '.join(cut_short)}.",
            DamageWarning,
            stacklevel=3,
        )
    reasons = {clip.name: clip.skipped for clip in crops.skipped if clip.damaged}
    for name, reason in reasons.items():
        warnings.warn(f"nothing of {name}: {reason}", DamageWarning, stacklevel=3)
    if unread := [clip.name for clip in crops.skipped if clip.damaged]:
        warnings.warn(
            f"{len(unread)} of {clips} clips are damaged or cannot be read, and the data are without "
            f"them: {', '.join(unread)}.",
            DamageWarning,
            stacklevel=3,
        )
