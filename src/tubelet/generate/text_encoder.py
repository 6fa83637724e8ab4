"""Text encoders of transformers, read from a folder or from the Hugging Face hub: safetensors only, no code.

T5 (Raffel et al. 2020, arXiv:1910.10683), UMT5 (Chung et al. 2023, arXiv:2304.09151), the text half of CLIP
(Radford et al. 2021, arXiv:2103.00020), and sentence encoders of the class of BERT, such as MiniLM (Wang et
al. 2020, arXiv:2002.10957). Needs the extra `text`.
"""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, final

import torch
from torch import nn
from torch.nn import functional as F

from tubelet.devices import find_device
from tubelet.errors import CheckpointError, OptionError, TubeletWarning
from tubelet.extras import extra_package
from tubelet.files.names import utf8_path
from tubelet.generate.prompts import EncodedText
from tubelet.generate.text import check_length
from tubelet.hub import fetch_files, is_repository
from tubelet.json_text import read_json

_CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "t5": ("T5EncoderModel", {}),
    "mt5": ("MT5EncoderModel", {}),
    "umt5": ("UMT5EncoderModel", {}),
    "clip": ("CLIPTextModel", {}),
    "clip_text_model": ("CLIPTextModel", {}),
    "bert": ("BertModel", {"add_pooling_layer": False}),
    "roberta": ("RobertaModel", {"add_pooling_layer": False}),
    "xlm-roberta": ("XLMRobertaModel", {"add_pooling_layer": False}),
    "mpnet": ("MPNetModel", {"add_pooling_layer": False}),
    "distilbert": ("DistilBertModel", {}),
}
"""What a folder's ``model_type`` is read by, and with which options."""

_WEIGHTS = ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json")
_TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "spiece.model",
    "sentencepiece.bpe.model", "vocab.json", "merges.txt", "vocab.txt",
)  # fmt: skip
_FILES = ("config.json", *_WEIGHTS, *_TOKENIZER)

_ENCODER, _TOKENIZER_FOLDER = "text_encoder", "tokenizer"
"""Where pipelines of diffusers keep them."""

_ENDLESS = 1 << 20
"""What tokenizers without a longest text say is its length, or more."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoder:
    """A text encoder that is ready to use.

    Attributes:
        name: the folder or repository that it was read from, as it was given.
        sha256: of its files; the same wherever they lie.
        width: features of a state.
        longest: tokens of a text that it takes at most; none if there is no end.
    """

    name: str
    sha256: str
    width: int
    longest: int | None
    _network: nn.Module
    _tokenizer: Any

    @torch.no_grad()
    def encode(self, texts: Sequence[str], *, slots: int) -> EncodedText:
        """What the encoder says of each token of some texts, rounded to half precision.

        A text gives the same states, within rounding, whatever texts are beside it.

        Args:
            texts: in plain language.
            slots: tokens of a text that are kept, special ones among them; what is behind them is left out.

        Returns:
            States ``b slots width`` in float32, on the CPU.

        Raises:
            OptionError: a text is empty, or so long that it is not read.
            CheckpointError: the states are not finite in half precision.
        """
        for text in texts:
            check_length(text)
            if not text.strip():
                raise OptionError(f"the prompt {text!r:.80} holds no word. Say what is to be seen.")
        length = slots if self.longest is None else min(slots, self.longest)
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=length, return_tensors="pt"
        )
        device = next(self._network.parameters()).device
        seen = tokens["attention_mask"].bool()
        states = self._network(
            input_ids=tokens["input_ids"].to(device), attention_mask=tokens["attention_mask"].to(device)
        ).last_hidden_state
        states = states.cpu().float() * seen[..., None]
        rounded = states.half().float()
        if not bool(rounded.isfinite().all()):
            raise CheckpointError(
                f"the text encoder {self.name} says numbers beyond half precision, in which they are kept. "
                "Choose another one."
            )
        missing = slots - seen.shape[1]
        return EncodedText(F.pad(rounded, (0, 0, 0, missing)), F.pad(seen, (0, missing)))

    def length(self, text: str) -> int:
        """How many tokens a text has, special ones among them, before any are left out."""
        return len(self._tokenizer(text, verbose=False)["input_ids"])


@final
@dataclass(frozen=True, slots=True)
class EncoderReader:
    """Reads prompts with a text encoder.

    Attributes:
        encoder: says the states.
        slots: tokens of a prompt that are read.
    """

    encoder: TextEncoder
    slots: int

    def read(self, texts: Sequence[str]) -> EncodedText:
        """Each text as states of its tokens; errors as `TextEncoder.encode`.

        Warns:
            TubeletWarning: a text has more tokens than are read.
        """
        for text in texts:
            if (length := self.encoder.length(text)) > self.slots:
                warnings.warn(
                    f"the prompt has {length} tokens, and the generator reads {self.slots}; the end of "
                    f"{text!r:.80} is left out.",
                    TubeletWarning,
                    stacklevel=2,
                )
        return self.encoder.encode(texts, slots=self.slots)


def read_text_encoder(name: str, *, device: str = "cpu") -> TextEncoder:
    """Read a text encoder; nothing in its files is executed.

    Args:
        name: a folder with ``config.json``, ``model.safetensors`` and the files of a tokenizer, as
            ``save_pretrained`` of transformers writes them, or that of a pipeline of diffusers, with
            ``text_encoder`` and ``tokenizer`` in it; or ``owner/name`` on the hub, fetched once.
        device: where it computes: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        CheckpointError: it is not there, of another class, without safetensors, or lacks weights.
        OptionError: transformers is not installed, or there is no such device here.
    """
    place = find_device(device)
    library = _transformers(name)
    encoder, tokenizer = _folders(name)
    kind = _kind_of(encoder, name)
    with _quiet(library), utf8_path(encoder) as model_path, utf8_path(tokenizer) as tokenizer_path:
        network = _network(library, kind, str(model_path), name)
        words = _tokenizer(library, str(tokenizer_path), name)
    network.eval().requires_grad_(requires_grad=False)
    longest = min(int(words.model_max_length), _positions(network))
    return TextEncoder(
        name=name,
        sha256=_fingerprint(encoder, tokenizer),
        width=_width(network),
        longest=longest if longest < _ENDLESS else None,
        _network=network.to(place),
        _tokenizer=words,
    )


def _folders(name: str) -> tuple[Path, Path]:
    """The folders of an encoder and of its tokenizer.

    Raises:
        CheckpointError: they are not there.
    """
    folder = Path(name)
    if not folder.is_dir() and is_repository(name):
        inside = [f"{_ENCODER}/{each}" for each in ("config.json", *_WEIGHTS)]
        folder = fetch_files(
            name, [*_FILES, *inside, *(f"{_TOKENIZER_FOLDER}/{each}" for each in _TOKENIZER)]
        )
    if not (folder / "config.json").is_file() and (folder / _ENCODER / "config.json").is_file():
        return folder / _ENCODER, folder / _TOKENIZER_FOLDER
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{name!r} is neither a folder with the config.json of a text encoder nor a repository of the "
            "hub (owner/name). Put the folder there, or give its place by --text."
        )
    return folder, folder


def _kind_of(folder: Path, name: str) -> str:
    """The ``model_type`` of a folder.

    Raises:
        CheckpointError: it is none that is read.
    """
    try:
        kind = read_json(folder / "config.json")["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"the config.json of {name!r} cannot be read: {error!r:.200}. Fetch it again."
        ) from error
    if not isinstance(kind, str) or kind not in _CLASSES:
        raise CheckpointError(
            f"{name!r} is a {kind!r:.40}; text encoders are {', '.join(_CLASSES)}. Choose one of these."
        )
    if not list(folder.glob("model*.safetensors")):
        raise CheckpointError(
            f"{name!r} has no model.safetensors, and other formats may hold code. Write it with "
            "`save_pretrained` of transformers, or choose a repository that has it."
        )
    return kind


def _network(library: ModuleType, kind: str, folder: str, name: str) -> nn.Module:
    """The encoder itself, with all of its weights."""
    made_by, further = _CLASSES[kind]
    try:
        network, report = getattr(library, made_by).from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **further
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"the text encoder {name!r} cannot be read: {_reason(error)}. Fetch it again."
        ) from error
    if missing := sorted(map(str, report["missing_keys"])):
        raise CheckpointError(
            f"the text encoder {name!r} lacks {len(missing)} of its weights, such as {missing[0]}. Fetch it "
            "again."
        )
    return network.float()


def _tokenizer(library: ModuleType, folder: str, name: str) -> Any:  # noqa: ANN401  a class of the library
    """What splits text into tokens, with the padding behind them."""
    try:
        words = library.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, padding_side="right"
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError) as error:
        raise CheckpointError(
            f"the tokenizer of the text encoder {name!r} cannot be read: {_reason(error)}. Its files "
            "(tokenizer.json) lie beside config.json; fetch them again."
        ) from error
    if words.pad_token is None:
        raise CheckpointError(
            f"the tokenizer of the text encoder {name!r} has no token for padding. Choose another one."
        )
    return words


def _positions(network: Any) -> int:  # noqa: ANN401  a class of the library
    """Tokens that a network has positions for; those of T5 are relative, without end."""
    config = network.config
    if config.model_type in ("t5", "mt5", "umt5"):
        return _ENDLESS
    # Those of RoBERTa begin behind the number of the padding token.
    offset = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta", "mpnet") else 0
    return int(config.max_position_embeddings) - int(offset)


def _width(network: Any) -> int:  # noqa: ANN401  a class of the library
    return int(network.config.hidden_size)


def _fingerprint(encoder: Path, tokenizer: Path) -> str:
    """SHA-256 of the files that states depend on, by their names and contents."""
    digest = hashlib.sha256()
    for folder, patterns in ((encoder, ("config.json", *_WEIGHTS)), (tokenizer, _TOKENIZER)):
        found = {path.name: path for pattern in patterns for path in folder.glob(pattern)}
        for name in sorted(found):
            with found[name].open("rb") as file:
                digest.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()} ".encode())
    return digest.hexdigest()


def _transformers(name: str) -> ModuleType:
    """Import transformers.

    Raises:
        OptionError: it is not installed.
    """
    return extra_package("transformers", extra="text", need=f"the text encoder {name!r} needs it")


@contextmanager
def _quiet(library: ModuleType) -> Iterator[None]:
    """Let the library neither warn nor show progress while it reads."""
    talk = library.utils.logging
    level, shown = talk.get_verbosity(), talk.is_progress_bar_enabled()
    talk.set_verbosity_error()
    talk.disable_progress_bar()
    try:
        yield
    finally:
        talk.set_verbosity(level)
        if shown:
            talk.enable_progress_bar()


def _reason(error: Exception) -> str:
    """The first line of what the library says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:300]
