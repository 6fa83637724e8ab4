"""What folders hold that `tubelet export` wrote, by what their files say of the tokenizer."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tubelet.cli.contents.folders import several_parts

if TYPE_CHECKING:
    from tubelet.interop.steps.facts import StepFacts


def onnx_facts(folder: Path) -> dict[str, object]:
    """A tokenizer as two ONNX files."""
    from tubelet.interop.onnx.export import ENCODER, FILES
    from tubelet.interop.onnx.opening import read_facts, read_opset

    facts = _export_facts(folder, "onnx", FILES, read_facts)
    return facts | {"opset": read_opset(folder / ENCODER)}


def openvino_facts(folder: Path) -> dict[str, object]:
    """A tokenizer as two files of OpenVINO, with the numbers of each beside it."""
    from tubelet.interop.openvino import FILES, read_facts

    return _export_facts(folder, "openvino", FILES, read_facts)


def programs_facts(folder: Path) -> dict[str, object]:
    """A tokenizer as two programs of `torch.export`; they are not run."""
    from tubelet.interop.torch_export import FILES, read_facts

    return _export_facts(folder, "torch-export", FILES, read_facts)


def _export_facts(
    folder: Path, written_as: str, files: tuple[str, ...], read_facts: Callable[[Path], "StepFacts"]
) -> dict[str, object]:
    """What the encoder's and the decoder's file say alike.

    Args:
        folder: that was written.
        written_as: the format of its files, as `tubelet export` takes it.
        files: those of such a folder.
        read_facts: reads what a file says of its tokenizer.

    Raises:
        CheckpointError: a file is missing, damaged, or of another tokenizer than the other one.
    """
    from tubelet.interop.steps.facts import FORMAT
    from tubelet.interop.steps.reading import check_pair

    encoder, decoder = (
        read_facts(folder / name) for name in files if Path(name).suffix == Path(files[0]).suffix
    )
    check_pair(folder, encoder, decoder)
    parts = encoder.latent_parts()
    sizes = {name: (folder / name).stat().st_size for name in files if (folder / name).is_file()}
    return {
        "path": str(folder),
        "format": f"exported tokenizer {FORMAT}",
        "written_as": written_as,
        "name": encoder.name,
        "sha256": encoder.sha256,
        **_content_facts(encoder),
        "stride": str(encoder.stride),
        "lead_frame": encoder.lead_frame,
        "channels": sum(part.channels for part in parts if part.ordered),
        **several_parts(parts),
        "dtype": encoder.number_format,
        "mflop_per_pixel": round(encoder.flops_per_pixel / 1e6, 4),
        "files": sizes,
        "bytes": sum(sizes.values()),
    }


def _content_facts(facts: "StepFacts") -> dict[str, object]:
    """What is special to latents, or to tokens."""
    if not facts.bases:
        return {"gives": "latents", "variational": facts.variational}
    sizes = [math.prod(token) for token in facts.bases]
    return {"gives": "tokens", "tokens_per_position": len(sizes), "codebook_sizes": sizes}
