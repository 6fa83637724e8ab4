"""Files of tokens as grids, clip by clip: what a training script reads."""

from collections.abc import Iterator
from pathlib import Path

from tubelet.codec.tokens.array import read_token_array
from tubelet.codec.tokens.clip import TokenClip
from tubelet.codec.tokens.table import TokenTable
from tubelet.files import check_suffix
from tubelet.given import as_path, checked_memory
from tubelet.tokenizers.streams.state import DEFAULT_MEMORY


def read_tokens(source: Path | str, *, memory: int = DEFAULT_MEMORY) -> Iterator[TokenClip]:
    """Give the clips of a file of tokens, one after another; the mirror of writing them with `tokenize_file`.

    Each is a named pair: ``grid``, a `TokenGrid` of one clip, and ``facts``, where it comes from: ``source``,
    ``source_sha256``, ``tokenizer``, ``tokenizer_sha256``, ``fps`` and ``caption``. No tokenizer is needed.

    Args:
        source: a ``.parquet`` table, whose rows come in order, a few in memory at a time; or an ``.npz``
            array, which is one clip. (A ``.tube`` file gives its tokens by ``open_tube(source).tokens()``.)
        memory: bytes that the tokens of a clip, or of a row group of a table, may take.

    Raises:
        OptionError: the file is of another kind, it claims more than memory allows, or pyarrow is missing.
        BitstreamError: the file is damaged, newer than this program, or holds no tokens; the clips before
            the damage were given.
    """
    source, memory = as_path(source, "source"), checked_memory(memory)
    check_suffix(source, (".parquet", ".npz"), "a file of tokens")
    if source.suffix.lower() == ".npz":
        yield read_token_array(source, memory=memory)
        return
    with TokenTable(source, memory=memory) as table:
        yield from table
