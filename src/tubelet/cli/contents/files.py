"""What files hold: latents, tokens, figures, arrays, states of streams, weights of networks, videos."""

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.errors import CheckpointError, DamageWarning, ResultsError

if TYPE_CHECKING:
    from tubelet.codec.tokens.clip import TokenClip

_NETWORKS = {
    "lin0.model.1.weight": "lpips",
    "alpha": "dists",
    "logits.conv3d.weight": "i3d",
    "videomae.embeddings.patch_embeddings.projection.weight": "videomae",
}
"""Which network's weights a file holds, by a tensor that no other has."""


def video_facts(path: Path, *, check: bool = False) -> dict[str, object]:
    """A video, an image, or frames as an array; damage is warned of.

    Args:
        path: of the file.
        check: whether all of it is read, to find damage.
    """
    from tubelet.video.probe import probe

    info = probe(path)
    facts: dict[str, object] = dict(info.to_json())
    damage = [f"{path} is cut short: {info.damage}."] if info.damage else []
    if check:
        damage = _damage_of(path)
    facts["damage"] = " ".join(damage) or None
    for each in damage:
        warnings.warn(each, DamageWarning, stacklevel=1)
    if isinstance(audio := facts.get("audio"), dict):
        # Set-up bytes of the codec mean nothing to a reader.
        facts["audio"] = {name: value for name, value in audio.items() if name not in {"extradata", "header"}}
    return facts


def _damage_of(path: Path) -> list[str]:
    """What reading all of a video says of damage."""
    from tubelet.video.read import read

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for _ in read(path):
            pass
    return [str(each.message) for each in heard if issubclass(each.category, DamageWarning)]


def array_facts(path: Path) -> dict[str, object]:
    """An array: frames, prepared crops, or a latent or tokens that an evaluation kept."""
    import numpy as np

    from tubelet.errors import VideoError

    try:
        return video_facts(path)
    except VideoError:
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            array = None
        if not isinstance(array, np.ndarray) or array.ndim not in {3, 4, 5}:
            raise
        kinds = {
            "crops": array.ndim == 5,
            "tokens": array.dtype.kind in "iu",
            "latent": array.dtype.kind == "f",
        }
        kind = next((name for name, is_it in kinds.items() if is_it), "array")
        shape = "x".join(map(str, array.shape))
        return {"path": str(path), "format": f"array of {kind}", "type": str(array.dtype), "shape": shape}


def token_array_facts(path: Path) -> dict[str, object]:
    """The digits of one clip."""
    from tubelet.codec.tokens.array import FORMAT, read_token_array

    clip = read_token_array(path)
    return {"path": str(path), "format": f"tokens of one clip {FORMAT}", **_token_facts(clip), **_size(path)}


def token_table_facts(path: Path) -> dict[str, object]:
    """A table of tokens; what its clips share is told of the first one."""
    from tubelet.codec.tokens.table import TokenTable

    with TokenTable(path) as table:
        count = len(table)
        first = next(iter(table), None)
    facts: dict[str, object] = {"path": str(path), "format": "table of tokens", "clips": count}
    return facts | ({} if first is None else {"first": _token_facts(first)}) | _size(path)


def tensors_facts(path: Path) -> dict[str, object]:
    """The state of a stream, or the weights of a network that measures need."""
    from safetensors import SafetensorError, safe_open

    from tubelet.files.names import utf8_path

    try:
        with utf8_path(path) as place, safe_open(place, "np") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            state = file.get_tensor("facts").tolist() if shapes.get("facts") == (8,) else None
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file. Check the spelling and the folder.") from error
    except (OSError, SafetensorError, TypeError) as error:
        raise CheckpointError(f"{path} is not a .safetensors file that can be read: {error}.") from error
    if state is not None:
        step, height, width, rows, columns, pending, tiles, depth = map(int, state)
        return {
            "path": str(path),
            "format": "state of a stream",
            "step": step,
            "width": width,
            "height": height,
            "tile": f"{rows}x{columns}",
            "pending_frames": pending,
            "tiles": tiles,
            "blocks": depth,
            **_size(path),
        }
    network = next((kind for name, kind in _NETWORKS.items() if name in shapes), None)
    return {
        "path": str(path),
        "format": "tensors" if network is None else f"weights of {network}",
        "tensors": len(shapes),
        "numbers": sum(map(math.prod, shapes.values())),
        "sha256": _sha256(path),
        **_size(path),
    }


def figures_facts(path: Path) -> dict[str, object]:
    """A file of figures: of an evaluation, a benchmark, or one run of a command."""
    from tubelet.json_text import read_json
    from tubelet.report.cost import read_bench
    from tubelet.report.read import read_results

    try:
        content = read_json(path)
        names = list(content["figures"])
        said = {"protocol": str(content["protocol"]), "command": str(content["circumstances"]["command"])}
        said["date"] = str(content["circumstances"]["date"])
    except OSError as error:
        raise ResultsError(f"{path} cannot be read ({error.strerror}). Check the spelling.") from error
    except ValueError as error:
        raise ResultsError(f"{path} cannot be read: {str(error).rstrip('.')}.") from error
    except (KeyError, TypeError) as error:
        raise ResultsError(
            f"{path} holds no figures of tubelet; those are an object with protocol, figures and "
            "circumstances, as `tubelet evaluate` writes them."
        ) from error
    if {"clips", "systems", "measures"} <= set(names):
        figures = read_results(path).figures
        kind: dict[str, object] = {
            "format": f"evaluation {figures['format']}",
            "finished": True,
            "data": figures["data"],
            "clips": len(figures["clips"]),
            "systems": list(figures["systems"]),
            "measures": list(figures["measures"]),
            "failed": sum(
                "error" in clip for each in figures["systems"].values() for clip in each["clips"].values()
            ),
            "videos": len(figures.get("videos", {})),
        }
    elif {"rows", "systems", "run"} <= set(names):
        figures = read_bench(path).figures
        kind = {
            "format": f"benchmark {figures['format']}",
            "finished": bool(figures.get("finished")),
            "systems": list(figures["systems"]),
            "rows": len(figures["rows"]),
        }
    else:
        kind = {"format": "figures", "figures": names}
    return {"path": str(path), **kind, **said, **_size(path)}


def _token_facts(clip: "TokenClip") -> dict[str, object]:
    """What is known of a clip of tokens."""
    grid, facts = clip
    return {
        "tokenizer": facts.tokenizer,
        "tokenizer_sha256": facts.tokenizer_sha256,
        "source": facts.source,
        "caption": facts.caption,
        "stride": str(grid.stride),
        "lead_frame": grid.lead_frame,
        "tokens": "x".join(map(str, (len(grid.bases), *grid.digits.shape[2:]))),
        "tokens_per_position": len(grid.bases),
        "codebook_sizes": [math.prod(token) for token in grid.bases],
        "frames": grid.frames,
        "width": grid.width,
        "height": grid.height,
        "frames_per_second": None if facts.fps is None else str(facts.fps),
    }


def _size(path: Path) -> dict[str, object]:
    return {"bytes": path.stat().st_size}


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
