"""tubelet: video to the compact latents and tokens that generative models work on, and back.

Names are loaded when they are first used, so that importing the package imports neither torch nor a video
library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tubelet.checkpoint import load, load_discrete, shipped
    from tubelet.codec.continuation import continue_clip, continue_file
    from tubelet.codec.decode import decode_file
    from tubelet.codec.encode import encode_file
    from tubelet.codec.reconstruct import reconstruct_file
    from tubelet.codec.swap import swap, swap_files
    from tubelet.codec.tokens.detokenize import detokenize_file
    from tubelet.codec.tokens.read import read_tokens
    from tubelet.codec.tokens.tokenize import tokenize_file
    from tubelet.codec.transcode import transcode_file
    from tubelet.codec.tube import Tube, open_tube
    from tubelet.errors import TubeletError, TubeletWarning
    from tubelet.hub import push_to_hub
    from tubelet.models.klt.config import KLTConfig
    from tubelet.tokenizers.config import DiscreteConfig
    from tubelet.tokenizers.continuous import ContinuousTokenizer
    from tubelet.tokenizers.discrete import DiscreteTokenizer
    from tubelet.tokenizers.streams.state import StreamState
    from tubelet.tokenizers.token_grid import TokenGrid
    from tubelet.types import Frames, Latent, Stride, Video
    from tubelet.video.pixels import from_model, to_model
    from tubelet.video.probe import probe
    from tubelet.video.read import read

__version__ = "0.1.0"

_HOMES = {
    "ContinuousTokenizer": "tubelet.tokenizers.continuous",
    "DiscreteConfig": "tubelet.tokenizers.config",
    "DiscreteTokenizer": "tubelet.tokenizers.discrete",
    "Frames": "tubelet.types",
    "KLTConfig": "tubelet.models.klt.config",
    "Latent": "tubelet.types",
    "StreamState": "tubelet.tokenizers.streams.state",
    "Stride": "tubelet.types",
    "TokenGrid": "tubelet.tokenizers.token_grid",
    "Tube": "tubelet.codec.tube",
    "TubeletError": "tubelet.errors",
    "TubeletWarning": "tubelet.errors",
    "Video": "tubelet.types",
    "continue_clip": "tubelet.codec.continuation",
    "continue_file": "tubelet.codec.continuation",
    "decode_file": "tubelet.codec.decode",
    "detokenize_file": "tubelet.codec.tokens.detokenize",
    "encode_file": "tubelet.codec.encode",
    "from_model": "tubelet.video.pixels",
    "load": "tubelet.checkpoint",
    "load_discrete": "tubelet.checkpoint",
    "open_tube": "tubelet.codec.tube",
    "probe": "tubelet.video.probe",
    "push_to_hub": "tubelet.hub",
    "read": "tubelet.video.read",
    "read_tokens": "tubelet.codec.tokens.read",
    "reconstruct_file": "tubelet.codec.reconstruct",
    "shipped": "tubelet.checkpoint",
    "swap": "tubelet.codec.swap",
    "swap_files": "tubelet.codec.swap",
    "to_model": "tubelet.video.pixels",
    "tokenize_file": "tubelet.codec.tokens.tokenize",
    "transcode_file": "tubelet.codec.transcode",
}

__all__ = [
    "ContinuousTokenizer",
    "DiscreteConfig",
    "DiscreteTokenizer",
    "Frames",
    "KLTConfig",
    "Latent",
    "StreamState",
    "Stride",
    "TokenGrid",
    "Tube",
    "TubeletError",
    "TubeletWarning",
    "Video",
    "continue_clip",
    "continue_file",
    "decode_file",
    "detokenize_file",
    "encode_file",
    "from_model",
    "load",
    "load_discrete",
    "open_tube",
    "probe",
    "push_to_hub",
    "read",
    "read_tokens",
    "reconstruct_file",
    "shipped",
    "swap",
    "swap_files",
    "to_model",
    "tokenize_file",
    "transcode_file",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"tubelet has no {name!r}; it has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return __all__
