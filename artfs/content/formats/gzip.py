"""gzip: streams of compressed bytes, each with a checksum at its end, of which nothing outside of it knows.

So small files are decompressed, and nothing is said of others. Another stream may follow at any time.
"""

from __future__ import annotations

import zlib

from artfs.content.formats.format import Broken, Format
from artfs.content.formats.opened import BoundedFile

MAGIC = b"\x1f\x8b\x08"
MOST_COMPRESSED = 2**20
MOST_DECOMPRESSED = 32 * 2**20

_PIECE = 2**20
_MOST_STREAMS = 1000
_GZIP = 16 + zlib.MAX_WBITS


def _recognises(name: bytes, head: bytes) -> bool:
    return head.startswith(MAGIC)


def _examine(name: bytes, file: BoundedFile) -> bool:
    if file.size > MOST_COMPRESSED:
        return False
    rest = file.pread(0, file.size)
    made = 0
    for _ in range(_MOST_STREAMS):
        stream = zlib.decompressobj(_GZIP)
        while not stream.eof:
            try:
                piece = stream.decompress(rest, _PIECE)
            except zlib.error as error:
                raise Broken(f"its compressed bytes are damaged: {error}") from None
            made += len(piece)
            rest = stream.unconsumed_tail
            if made > MOST_DECOMPRESSED:
                return False
            if not piece and not rest and not stream.eof:
                raise Broken(f"its compressed bytes do not end, after {file.size} bytes")
        rest = stream.unused_data
        if not rest.startswith(MAGIC):
            break  # zeros that fill a block, or what programs ignore
    return False


GZIP = Format("gzip", _recognises, _examine)
