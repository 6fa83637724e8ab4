"""Tokenizers as files of OpenVINO, made of their ONNX, and read again.

openvino is the extra `openvino`; it is imported when it is first needed. What goes in and comes out is that
of `tubelet.interop.onnx.export`.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from tubelet.checkpoint import EXPORTED, Checkpoint
from tubelet.errors import CheckpointError
from tubelet.extras import extra_package
from tubelet.files import replacing_folder
from tubelet.interop.onnx.export import DECODER as ONNX_DECODER
from tubelet.interop.onnx.export import ENCODER as ONNX_ENCODER
from tubelet.interop.onnx.export import write_onnx
from tubelet.interop.onnx.packages import export_package
from tubelet.interop.steps.card import card_text
from tubelet.interop.steps.exported import exported_steps
from tubelet.interop.steps.facts import KEY, NumberFormat, StepFacts, facts_to_text, text_to_facts
from tubelet.interop.steps.reading import Opened, check_pair, continuous_of, discrete_of
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer

ENCODER, DECODER = EXPORTED["openvino"], "decoder.xml"

FILES = (ENCODER, "encoder.bin", DECODER, "decoder.bin", "card.md")
"""Of such a folder."""


def export_openvino(
    checkpoint: Checkpoint[Any],
    folder: Path,
    *,
    channels: int | None = None,
    number_format: NumberFormat = "float32",
    force: bool = False,
) -> Path:
    """Write the encoder's and the decoder's step as files of OpenVINO; arguments as `export_onnx`.

    Raises:
        OptionError: the tokenizer cannot be exported, or has not so many channels; or a package is
            not installed.
        OutputError: the folder exists or cannot be written.
    """
    package = openvino_package()
    for name in ("onnx", "onnxscript"):
        export_package(name)
    exported = exported_steps(checkpoint, channels=channels, number_format=number_format)
    facts = exported.facts
    with (
        tempfile.TemporaryDirectory(prefix="tubelet-") as place,
        replacing_folder(folder, holds=FILES, force=force) as beside,
    ):
        write_onnx(exported, Path(place))
        for source, name in ((ONNX_ENCODER, ENCODER), (ONNX_DECODER, DECODER)):
            model = package.convert_model(str(Path(place) / source))
            model.set_rt_info(facts_to_text(facts), [KEY])
            # What is in float16 already stays, and what is not must stay exact.
            package.save_model(model, str(beside / name), compress_to_fp16=False)
        function = "read_openvino_discrete" if facts.bases else "read_openvino"
        card = card_text(
            facts,
            written_as="OpenVINO",
            files=(ENCODER, DECODER),
            read_by=f"tokenizer = tubelet.interop.openvino.{function}(FOLDER).tokenizer",
        )
        (beside / FILES[-1]).write_text(card, encoding="utf-8")
    return folder


def read_openvino(folder: Path | str, *, threads: int = 0) -> Checkpoint[ContinuousTokenizer]:
    """Read what `export_openvino` wrote; it encodes, decodes and streams as the tokenizer that was exported.

    Args:
        folder: with ``encoder.xml``, ``decoder.xml`` and the .bin of each.
        threads: that OpenVINO computes with; as many as cores for 0.

    Raises:
        OptionError: openvino is not installed.
        CheckpointError: a file is missing, damaged, newer than this program, or of another tokenizer; or it
            is discrete.
    """
    return continuous_of(_opened(Path(folder), threads))


def read_openvino_discrete(folder: Path | str, *, threads: int = 0) -> Checkpoint[DiscreteTokenizer]:
    """Read what `export_openvino` wrote of a discrete tokenizer; arguments and errors as `read_openvino`."""
    return discrete_of(_opened(Path(folder), threads))


def read_facts(path: Path) -> StepFacts:
    """What an .xml says of its tokenizer.

    Raises:
        OptionError: openvino is not installed.
        CheckpointError: the file is missing or damaged, or says nothing of a tokenizer.
    """
    return _facts_of(_model(openvino_package().Core(), path), path)


def openvino_package() -> Any:  # noqa: ANN401  a package without types
    """Import openvino.

    Raises:
        OptionError: it is not installed.
    """
    return extra_package("openvino", extra="openvino", need="OpenVINO needs it", instead="use --format onnx")


@final
class CompiledSession:
    """A compiled model as a `Session`.

    Args:
        compiled: OpenVINO's.
    """

    def __init__(self, compiled: Any) -> None:  # noqa: ANN401  a package without types
        self._outputs = compiled.outputs
        self._request = compiled.create_infer_request()

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """All outputs, in their order; they are copied, for the next run takes the memory again."""
        found = self._request.infer(inputs)
        return [np.array(found[each]) for each in self._outputs]


def _opened(folder: Path, threads: int) -> Opened:
    core = openvino_package().Core()
    encoder, facts = _session(core, folder / ENCODER, threads)
    decoder, others = _session(core, folder / DECODER, threads)
    check_pair(folder, facts, others)
    return Opened(folder, encoder, decoder, facts)


def _session(core: Any, path: Path, threads: int) -> tuple[CompiledSession, StepFacts]:  # noqa: ANN401  a package
    """A session, and what its file says of itself."""
    model = _model(core, path)
    facts = _facts_of(model, path)
    # On processors that can, OpenVINO would compute in bfloat16 unasked.
    compiled = core.compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    )
    return CompiledSession(compiled), facts


def _model(core: Any, path: Path) -> Any:  # noqa: ANN401  a package without types
    if not path.is_file():
        raise CheckpointError(
            f"there is no {path}; `tubelet export NAME -o {path.parent} --format openvino` makes it."
        )
    try:
        return core.read_model(str(path))
    except RuntimeError as error:
        raise CheckpointError(f"{path} is no model of OpenVINO: {error!s:.200}. Export it again.") from error


def _facts_of(model: Any, path: Path) -> StepFacts:  # noqa: ANN401  a package without types
    text = str(model.get_rt_info([KEY]).value) if model.has_rt_info([KEY]) else None
    return text_to_facts(text, path)
