"""The exceptions of tubelet; every message gives the value, the rule and the cure.

```text
TubeletError
├── OptionError        an argument or option has no meaning (exit code 2 on the command line)
├── ShapeError         sizes that cannot work together
├── LatentError        a latent or a video holds values that stand for nothing: NaN or infinity
├── TokenError         a token or digit is outside its codebook
├── VideoError         a video cannot be read or written
├── BitstreamError     a .tube file, or a file of tokens, is damaged, newer than this program, or none
├── DatasetError       a data set of latents is damaged, incomplete, or none
├── CheckpointError    a tokenizer is unknown, damaged, or not the one that a file was made with
├── ResultsError       stored figures are damaged, none, or of another format
├── TrainingError      a training run cannot go on, or cannot be taken up
└── OutputError        the result cannot be stored: it exists, or there is no room

TubeletWarning
├── RangeWarning       the values of a video seem to be of another scale than [-1, 1]
├── LossWarning        the input holds more than the result will (10 bits, alpha, HDR …)
└── DamageWarning      the input is damaged and the result is incomplete (exit code 1 on the command line)
```
"""


class TubeletError(Exception):
    """Everything that tubelet raises on purpose."""


class OptionError(TubeletError, ValueError):
    """An argument or option has no meaning."""


class ShapeError(TubeletError, ValueError):
    """Sizes that cannot work together."""


class LatentError(TubeletError, ValueError):
    """A latent or a video holds values that stand for nothing: NaN, infinity, or too large for a file."""


class TokenError(TubeletError, ValueError):
    """A token or digit is outside its codebook, or a codebook too large to be numbered."""


class VideoError(TubeletError):
    """A video cannot be read or written."""


class BitstreamError(TubeletError):
    """A ``.tube`` file, or a file of tokens, is damaged, newer than this program, or none at all."""


class DatasetError(TubeletError):
    """A data set of latents or tokens is damaged or none, or a shard is missing or of another tokenizer."""


class CheckpointError(TubeletError):
    """A tokenizer is unknown, damaged, or not the one that a file was made with."""


class ResultsError(TubeletError):
    """Stored figures are damaged, none at all, or of a format that this program does not read."""


class TrainingError(TubeletError):
    """A training run cannot go on, or cannot be taken up."""


class OutputError(TubeletError):
    """The result cannot be stored: it exists already, or there is no room for it."""


class TubeletWarning(UserWarning):
    """Everything that tubelet warns of."""


class RangeWarning(TubeletWarning):
    """The values of a video seem to lie in [0, 1] where [-1, 1] is expected."""


class LossWarning(TubeletWarning):
    """The input holds more than the result will: bits, colours, alpha, fields."""


class DamageWarning(TubeletWarning):
    """The input is damaged; what could be read was kept, and the result is incomplete."""
