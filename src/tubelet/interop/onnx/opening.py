"""Exported tokenizers as tokenizers of ours, run by onnxruntime."""

from pathlib import Path
from typing import Any

from tubelet.checkpoint import Checkpoint
from tubelet.errors import CheckpointError
from tubelet.interop.onnx.export import DECODER, ENCODER
from tubelet.interop.onnx.packages import export_package
from tubelet.interop.steps.facts import KEY, StepFacts, text_to_facts
from tubelet.interop.steps.reading import Opened, check_pair, continuous_of, discrete_of
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.tokenizers.discrete import DiscreteTokenizer


def read_onnx(folder: Path | str, *, threads: int = 0) -> Checkpoint[ContinuousTokenizer]:
    """Read what `export_onnx` wrote; it encodes, decodes and streams as the tokenizer that was exported.

    Numbers differ from it by float rounding, if they are of float32. Files name that tokenizer, and are read
    with either.

    Args:
        folder: with ``encoder.onnx`` and ``decoder.onnx``.
        threads: that onnxruntime computes with; as many as cores for 0.

    Raises:
        OptionError: onnxruntime is not installed.
        CheckpointError: a file is missing, damaged, newer than this program, or of another tokenizer; or it
            is discrete.
    """
    return continuous_of(_opened(Path(folder), threads))


def read_onnx_discrete(folder: Path | str, *, threads: int = 0) -> Checkpoint[DiscreteTokenizer]:
    """Read what `export_onnx` wrote of a discrete tokenizer; its tokens are those of the one exported.

    A value that lies on the edge of two digits may fall to the other side. Arguments and errors as
    `read_onnx`.
    """
    return discrete_of(_opened(Path(folder), threads))


def read_facts(path: Path) -> StepFacts:
    """What an exported file says of its tokenizer.

    Raises:
        OptionError: onnx is not installed.
        CheckpointError: the file says nothing of a tokenizer, or it is damaged.
    """
    return text_to_facts({each.key: each.value for each in _model(path).metadata_props}.get(KEY), path)


def read_opset(path: Path) -> int | None:
    """Version of the operators of ONNX that a file is made of; None if it does not say.

    Raises:
        OptionError: onnx is not installed.
        CheckpointError: the file is missing or damaged.
    """
    return next((int(each.version) for each in _model(path).opset_import if not each.domain), None)


def _model(path: Path) -> Any:  # noqa: ANN401  a package without types
    if not path.is_file():
        raise _absent(path)
    package = export_package("onnx")
    try:
        return package.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf has exceptions of its own, and is no package of ours
        raise CheckpointError(f"{path} is not an ONNX file: {error!s:.200}. Export it again.") from error


def _opened(folder: Path, threads: int) -> Opened:
    runtime = export_package("onnxruntime")
    encoder, facts = _session(runtime, folder / ENCODER, threads)
    decoder, others = _session(runtime, folder / DECODER, threads)
    check_pair(folder, facts, others)
    return Opened(folder, encoder, decoder, facts)


def _session(runtime: Any, path: Path, threads: int) -> tuple[Any, StepFacts]:  # noqa: ANN401  a package
    """A session, and what its file says of itself."""
    if not path.is_file():
        raise _absent(path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an exception of its own for each kind of damage
        raise CheckpointError(f"{path} is not an ONNX file that can be run: {error!s:.200}") from error
    return session, text_to_facts(session.get_modelmeta().custom_metadata_map.get(KEY), path)


def _absent(path: Path) -> CheckpointError:
    return CheckpointError(
        f"there is no {path}; `tubelet export NAME -o {path.parent} --format onnx` makes it."
    )
