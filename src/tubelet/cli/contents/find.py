"""Which kind of file or folder something is."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tubelet.cli.contents import exports, files, folders, tubes
from tubelet.errors import OptionError
from tubelet.files.marks import RUN_FILE

Facts = dict[str, object]

_FOLDERS: dict[str, Callable[[Path], Facts]] = {
    "config.json": folders.checkpoint_facts,
    RUN_FILE: folders.run_facts,
    "index.json": folders.crops_facts,
    "dataset.json": folders.dataset_facts,
    "results.json": files.figures_facts,
    "encoder.onnx": exports.onnx_facts,
    "encoder.xml": exports.openvino_facts,
    "encoder.pt2": exports.programs_facts,
}
"""What a folder is, by the file that it holds."""

_EXPORTS = ("encoder.onnx", "encoder.xml", "encoder.pt2")

_PARTS = {
    "weights.safetensors": ("config.json",),
    "card.md": ("config.json", *_EXPORTS),
    "log.jsonl": (RUN_FILE,),
    "numbers.json": (RUN_FILE,),
    "decoder.onnx": ("encoder.onnx",),
    "decoder.xml": ("encoder.xml",),
    "encoder.bin": ("encoder.xml",),
    "decoder.bin": ("encoder.xml",),
    "decoder.pt2": ("encoder.pt2",),
}
"""Files that say nothing by themselves, and those of which one tells what their folder is."""

_SUFFIXES: dict[str, Callable[[Path], Facts]] = {
    ".npz": files.token_array_facts,
    ".parquet": files.token_table_facts,
    ".safetensors": files.tensors_facts,
    ".json": files.figures_facts,
    ".npy": files.array_facts,
}
"""What a file is, by its suffix; others are `.tube` files, videos and images."""


def facts_of(path: Path, *, check: bool = False) -> Facts:
    """What there is to know about a file or folder of ours, or a video, by name.

    Args:
        path: of the file or folder.
        check: whether all of a video, or of a ``.tube`` file, is read, to find damage.

    Raises:
        TubeletError: it is damaged, missing, or of no kind that is known; it says which kinds are.
        OptionError: it is to be checked, and is neither a video nor a ``.tube`` file.
    """
    besides = _PARTS.get(path.name, (path.name,))
    if path.is_dir():
        known = partial(_folder_facts, path)
    elif any(name in _FOLDERS and (path.parent / name).is_file() for name in besides):
        known = partial(_folder_facts, path.parent)
    elif path.suffix.lower() == ".tube":
        return tubes.tube_facts(path, check=check)
    elif path.suffix.lower() not in _SUFFIXES:
        return files.video_facts(path, check=check)
    else:
        known = partial(_SUFFIXES[path.suffix.lower()], path)
    if check:
        raise OptionError(
            f"{path} is neither a video nor a .tube file, and --check reads these alone. Leave it out; a "
            "data set is read by `tubelet dataset verify`."
        )
    return known()


def _folder_facts(folder: Path) -> Facts:
    for name, facts in _FOLDERS.items():
        if (folder / name).is_file():
            return facts(folder if facts is not files.figures_facts else folder / name)
    # A checkpoint inside a run.
    if (folder / "numbers.json").is_file() and (folder.parent / RUN_FILE).is_file():
        return folders.run_facts(folder.parent)
    if (folder / "parts").is_dir():
        return folders.unfinished_evaluation_facts(folder)
    known = {"config.json": "tokenizer", RUN_FILE: "training run", "index.json": "prepared crops"}
    known["dataset.json"] = "data set of latents"
    known[", ".join(_EXPORTS)] = "exported tokenizer"
    kinds = ", ".join(f"{what} ({name})" for name, what in known.items())
    raise OptionError(
        f"{folder} is a folder of none of these kinds: {kinds}, results (results.json). Give a file."
    )
