"""The ``.tube`` file: quantised latents or tokens as bytes, and back. ``SPEC.md`` here is its definition.

Knows integers and bytes only: no torch, no video library, nothing of what the symbols mean.
"""

from tubelet.bitstream.audio import AudioPacket
from tubelet.bitstream.chunk import Chunk, PartSymbols, bytes_to_chunk, chunk_to_bytes
from tubelet.bitstream.coding import Codings
from tubelet.bitstream.container import VERSION
from tubelet.bitstream.header import AudioHeader, Header, PriorHeader
from tubelet.bitstream.index import ChunkEntry
from tubelet.bitstream.part_header import PartHeader
from tubelet.bitstream.reader import TubeReader
from tubelet.bitstream.symbol_model import CodingTable, Exchange, SymbolModel
from tubelet.bitstream.writer import TubeWriter

__all__ = [
    "VERSION",
    "AudioHeader",
    "AudioPacket",
    "Chunk",
    "ChunkEntry",
    "CodingTable",
    "Codings",
    "Exchange",
    "Header",
    "PartHeader",
    "PartSymbols",
    "PriorHeader",
    "SymbolModel",
    "TubeReader",
    "TubeWriter",
    "bytes_to_chunk",
    "chunk_to_bytes",
]
