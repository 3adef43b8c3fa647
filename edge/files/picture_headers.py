"""What a picture file is by its own headers, without decoding it: cheap, and safe for files of any size.

Formats: JPEG, ITU-T T.81 annex B; PNG, W3C third edition; WebP, RFC 9649; BMP, BITMAPINFOHEADER and BITMAPCOREHEADER.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge.preprocess import MAX_PICTURE_PIXELS


class Note(StrEnum):
    """What is unusual about a file that can be used all the same."""

    SIXTEEN_BIT = "16-bit"
    GRAYSCALE = "grayscale"
    CMYK = "CMYK"
    ANIMATED = "animated"
    ALPHA = "transparent"
    TINY = "tiny"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size in pixels and notes; `defect` says why the file cannot be used, in a few words."""

    width_px: int = 0
    height_px: int = 0
    notes: tuple[Note, ...] = ()
    defect: str | None = None


_TINY_PX = 64
_TAIL_BYTES = 4096  # cameras append padding behind a JPEG's end marker
_START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_OLDEST_BMP_HEADER_BYTES = 12  # BITMAPCOREHEADER, with sizes of 16 bits
_STANDALONE = {0x01, *range(0xD0, 0xD8)}


def examine(path: Path) -> FileFacts:
    """The facts of a file, which exists. OpenCV decodes half a JPEG without a word, and spends gigabytes on a huge one.

    Raises:
        OSError: it cannot be opened.
    """
    size_bytes = path.stat().st_size
    if not size_bytes:
        return FileFacts(defect="empty: 0 bytes")
    with path.open("rb") as file:
        head = file.read(1 << 16)
        content = head if size_bytes <= len(head) else head + file.read()
    facts = facts_in(content)
    if facts.defect is None and facts.width_px * facts.height_px > MAX_PICTURE_PIXELS:
        defect = f"huge: {facts.width_px}x{facts.height_px} pixels, at most {MAX_PICTURE_PIXELS:,} are read"
        return FileFacts(facts.width_px, facts.height_px, facts.notes, defect)
    if facts.defect is None and 0 < min(facts.width_px, facts.height_px) < _TINY_PX:
        return FileFacts(facts.width_px, facts.height_px, (*facts.notes, Note.TINY))
    return facts


def facts_in(content: bytes) -> FileFacts:
    """The facts of an encoded picture, of any size; without width and height where its header cannot be read."""
    try:
        if content.startswith(b"\xff\xd8"):
            return _jpeg(content)
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(content)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp(content)
        if content.startswith(b"BM"):
            return _bmp(content)
    except (IndexError, struct.error):
        return FileFacts(defect="truncated: it ends within its header")
    foreign = _foreign(content)
    remedy = "" if foreign is None else f", but {foreign} by its content: save it as JPEG"
    return FileFacts(defect=f"not a JPEG, PNG, WebP or BMP picture{remedy}")


def _foreign(content: bytes) -> str | None:
    """What telephones and converters at times call a JPEG, by its name alone."""
    if content[4:8] == b"ftyp":
        return "AVIF" if content[8:12] in {b"avif", b"avis"} else "HEIC"
    beginnings = {b"GIF8": "GIF", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"%PDF": "PDF"}
    return beginnings.get(content[:4])


def _jpeg(content: bytes) -> FileFacts:
    position = 2
    while True:
        if content[position] != 0xFF or not content[position + 1]:  # past FF00, decoders look for a marker byte by byte
            return FileFacts(defect="damaged: no marker where one must be")
        marker = content[position + 1]
        if marker == 0xFF or marker in _STANDALONE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _START_OF_FRAME:
            break
        position += 2 + struct.unpack_from(">H", content, position + 2)[0]
    bits, height, width, components = struct.unpack_from(">BHHB", content, position + 4)
    notes = [note for note, holds in ((Note.GRAYSCALE, components == 1), (Note.CMYK, components == 4)) if holds]
    notes += [Note.SIXTEEN_BIT] if bits > 8 else []
    is_whole = b"\xff\xd9" in content[-_TAIL_BYTES:]
    return FileFacts(width, height, tuple(notes), None if is_whole else "truncated: the end of the JPEG is missing")


def _png(content: bytes) -> FileFacts:
    width, height, bits, color = struct.unpack_from(">IIBB", content, 16)
    notes = []
    if bits == 16:
        notes.append(Note.SIXTEEN_BIT)
    if color in (0, 4):
        notes.append(Note.GRAYSCALE)
    if color in (4, 6):
        notes.append(Note.ALPHA)
    if b"acTL" in content[:4096]:
        notes.append(Note.ANIMATED)
    is_whole = b"IEND" in content[-_TAIL_BYTES:]
    return FileFacts(width, height, tuple(notes), None if is_whole else "truncated: the end of the PNG is missing")


def _webp(content: bytes) -> FileFacts:
    (length,) = struct.unpack_from("<I", content, 4)
    defect = "truncated: the end of the WebP is missing" if len(content) < length + 8 else None
    kind = content[12:16]
    if kind == b"VP8X":
        flags = content[20]
        notes = tuple(note for note, bit in ((Note.ANIMATED, 0x02), (Note.ALPHA, 0x10)) if flags & bit)
        width = 1 + int.from_bytes(content[24:27], "little")
        return FileFacts(width, 1 + int.from_bytes(content[27:30], "little"), notes, defect)
    if kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", content, 21)
        return FileFacts(1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF), (), defect)
    width, height = struct.unpack_from("<HH", content, 26)
    return FileFacts(width & 0x3FFF, height & 0x3FFF, (), defect)


def _bmp(content: bytes) -> FileFacts:
    (length,) = struct.unpack_from("<I", content, 2)
    (header_bytes,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if header_bytes == _OLDEST_BMP_HEADER_BYTES else "<ii", content, 18)
    defect = "truncated: the end of the BMP is missing" if len(content) < length else None
    return FileFacts(abs(width), abs(height), (), defect)
