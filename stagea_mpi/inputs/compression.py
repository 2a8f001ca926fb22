"""Compressed streams: gzip, zstd, bzip2 and xz, recognised by their first bytes, unpacked in order or from any place.

Several streams that follow each other are one content, as the programs that write them have it. No decoder may take
more memory than what its program's strongest usual setting asks for.
"""

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import deflate

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CHUNK = 64 * 1024
_MOST_XZ_MEMORY = 256 * 2**20
#: Binary logarithm of the largest window of zstd; --ultra and --long stay within it.
_LARGEST_WINDOW = 27

#: Of a gzipped file and its content, bytes up to which it is unpacked at once: in a third of the time.
_MOST_AT_ONCE = 32 * 2**20
_GZIP_MAGIC = b"\x1f\x8b\x08"

#: Content that is kept for reading backwards is cut into so many bytes, and so many of them packed again are kept.
_PIECE = 2**20
_MOST_KEPT = 32 * 2**20


class Readable(Protocol):
    """A content that is read in order."""

    def read(self, size: int, /) -> bytes:
        """Fewer bytes than asked for only at the end."""
        ...


def is_seekable(file: Readable) -> bool:
    """Whether any byte of a content is read at once: that of a plain file, or in memory."""
    return isinstance(file, io.BufferedReader | io.BytesIO)


class Decoder(Protocol):
    """A decoder of one stream, as `bz2.BZ2Decompressor` is."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, packed: bytes, max_length: int, /) -> bytes: ...


@dataclass(frozen=True)
class Codec:
    """A compression; gzip has readers of its own, all others are a `StreamCodec`."""

    name: str


@dataclass(frozen=True)
class StreamCodec(Codec):
    """A compression whose decoders have all one interface.

    Attributes
    ----------
    decoder : callable
        Makes a decoder of one stream.
    """

    decoder: Callable[[], Decoder]


GZIP = Codec("gzip")
BZIP2 = StreamCodec("bzip2", bz2.BZ2Decompressor)
XZ = StreamCodec("xz", lambda: lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MOST_XZ_MEMORY))
ZSTD = StreamCodec(
    "zstd", lambda: zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _LARGEST_WINDOW})
)

#: First bytes by which a compression is recognised.
MAGIC_BYTES = 10
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # a block, and the end of an empty stream

#: What decoders raise of damaged content, beside EOFError and OSError.
DAMAGE = (zlib.error, lzma.LZMAError, zstd.ZstdError)


def codec_of(head: bytes) -> Codec | None:
    """The compression of a content by its first `MAGIC_BYTES`, None where it is in none of these."""
    if head.startswith(b"\x1f\x8b"):
        return GZIP
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F):
        return ZSTD  # the second is a frame of notes, with which files of pzstd begin
    if head.startswith(b"\xfd7zXZ\x00"):
        return XZ
    return BZIP2 if head.startswith(b"BZh") and head[4:10] in _BZIP2_BLOCKS else None


def unpacked_stream(file: BinaryIO) -> Readable:
    """A file's unpacked content, the file itself where it is not compressed; checksums are checked at its end."""
    codec = codec_of(file.read(MAGIC_BYTES))
    file.seek(0)
    if codec is None:
        return file
    if isinstance(codec, StreamCodec):
        return UnpackedStream(file, codec)
    content = _gunzipped(file)
    file.seek(0)
    return gzip.GzipFile(fileobj=file, mode="rb") if content is None else io.BytesIO(content)


def inflated(packed: bytes, n_bytes: int, checksum: int) -> bytearray:
    """A deflated content of known size (bytes) and CRC-32, as zip archives have it.

    Raises
    ------
    zlib.error
        It is damaged, or has another size or checksum.
    """
    try:
        content = deflate.deflate_decompress(packed, n_bytes)
    except deflate.DeflateError as error:
        raise zlib.error(f"is damaged, or has more than {n_bytes} bytes") from error
    if len(content) != n_bytes or deflate.crc32(content) != checksum:
        raise zlib.error(f"is damaged: {len(content)} bytes of {n_bytes}, or a checksum that is not theirs")
    return content


def _gunzipped(file: BinaryIO) -> bytes | None:
    """A file's content; None where it is large, of several streams or damaged, which others are to read and to tell."""
    packed = file.read(_MOST_AT_ONCE + 1)
    n_bytes = int.from_bytes(packed[-4:], "little")
    if not n_bytes or max(len(packed), n_bytes) > _MOST_AT_ONCE or packed.find(_GZIP_MAGIC, 1) >= 0:
        return None
    try:
        content = bytes(deflate.gzip_decompress(packed, n_bytes))
    except deflate.DeflateError:
        return None
    return content if len(content) == n_bytes else None  # what follows a stream would not be told


class UnpackedStream:
    """The content of streams that follow each other in a file, read in order.

    Parameters
    ----------
    file : binary file
        At its beginning.
    codec : StreamCodec
    """

    def __init__(self, file: BinaryIO, codec: StreamCodec):
        self._file, self._codec, self._decoder = file, codec, codec.decoder()

    def read(self, size: int) -> bytes:
        """Fewer bytes than asked for only at the end.

        Raises
        ------
        EOFError
            The file ends within a stream.
        OSError, lzma.LZMAError, zstd.ZstdError
            It is damaged.
        """
        parts = []
        while size > 0 and (data := self._some(size)):
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def _some(self, size: int) -> bytes:
        """At least one byte and at most so many; none at the end."""
        while True:
            packed = b""
            if self._decoder.eof:
                packed = self._next_stream(self._decoder.unused_data)
                if not packed:
                    return b""
                self._decoder = self._codec.decoder()
            elif self._decoder.needs_input:
                packed = self._file.read(_CHUNK)
                if not packed:
                    raise EOFError(f"compressed data ({self._codec.name}) ends before the end of its stream")
            data = self._decoder.decompress(packed, size)
            if data:
                return data

    def _next_stream(self, unused: bytes) -> bytes:
        """First bytes of what follows a stream, without the zeros by which streams are padded."""
        packed = unused.lstrip(b"\0")
        while not packed:
            more = self._file.read(_CHUNK)
            if not more:
                return b""
            packed = more.lstrip(b"\0")
        return packed


class StreamRanges:
    """Random access to a compressed file whose decoder's state cannot be kept.

    Models are mostly read in their order, and then the file is unpacked once: the decoder stays where it is. What it
    gives is packed again, fast, in pieces that can be unpacked each by itself, up to a limit; only what lies behind
    that is unpacked from the beginning again when it is read backwards.

    Parameters
    ----------
    path : str
    codec : StreamCodec
    """

    def __init__(self, path: str, codec: StreamCodec):
        self._path, self._codec = path, codec
        self._kept: list[bytes] = []
        self._n_kept = 0
        self._last = (-1, b"")
        self._begin()

    def read(self, start: int, stop: int) -> bytes:
        """Unpacked bytes `start` to `stop`; fewer where the file ends before."""
        parts = []
        for number in range(start // _PIECE, -(-stop // _PIECE)):
            piece = self._piece(number)
            parts.append(piece[max(start - number * _PIECE, 0) : stop - number * _PIECE])
        return b"".join(parts)

    def _begin(self) -> None:
        self._next, self._stream = 0, UnpackedStream(open(self._path, "rb"), self._codec)

    def _piece(self, number: int) -> bytes:
        if number == self._last[0]:  # where a model ends, the next one begins
            return self._last[1]
        if number < len(self._kept):
            return zstd.decompress(self._kept[number])
        if number < self._next:
            self._begin()
        while self._next <= number:
            piece = self._stream.read(_PIECE)
            if self._next == len(self._kept) and self._n_kept < _MOST_KEPT:
                self._kept.append(zstd.compress(piece, 1))
                self._n_kept += len(self._kept[-1])
            self._last = (self._next, piece)
            self._next += 1
        return piece
