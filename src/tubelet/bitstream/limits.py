"""The bounds of the format, checked before anything is read or allocated (SPEC.md, section 10)."""

HEADER_BYTES = 1 << 24
"""Length of the header, in bytes."""

SIDE = 1 << 16
"""Rows or columns of a frame or of a latent, and each side of a stride."""

CHANNELS = 1 << 12
"""Channels of a latent, or digits of all tokens of a position; of all parts together."""

PARTS = 64
"""Parts of a latent."""

NAME = 64
"""Characters in the name of a part."""

CENTROID = 127
"""How much nearer to zero a symbol is reconstructed, in 1/256 of a step: less than half of one."""

MODEL_TABLES = 1 << 16
"""Tables of a symbol model."""

CHUNK_HEAD_BYTES = 1 << 20
"""Length of the head of a chunk, in bytes."""

CHUNK_FRAMES = 1 << 16
"""Frames that one chunk completes."""

CHUNK_SYMBOLS = 1 << 27
"""Symbols in one chunk, of all parts: channels x steps x rows x columns (64 of 64 steps of 1080p)."""

SYMBOL = (1 << 23) - 1
"""Magnitude of a symbol."""

TABLE_SYMBOLS = 1 << 22
"""Different symbols in one segment; it keeps three quarters of the coder's range for their frequencies."""

BASE = TABLE_SYMBOLS
"""Values of one digit of a token; it has two at least."""

TIMESTAMP = (1 << 62) - 1
"""Magnitude of a timestamp, so that the difference of two fits 64 bits."""

AUDIO_BYTES = 1 << 26
"""Length of one audio record, in bytes."""

INDEX_BYTES = 1 << 26
"""Length of the index, in bytes."""

COUNT = (1 << 63) - 1
"""Any other count: steps, frames, bytes of a record."""
