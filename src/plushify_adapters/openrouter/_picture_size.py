"""Media type and pixel size of a picture, read from its first bytes."""

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers that start a frame header
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_MAX_MARKERS = 10_000
_JPEG_END = frozenset({0xD9, 0xDA})  # end of the file, start of the pixels


def sniff_media_type(picture: bytes) -> str | None:
    """Return the media type of a picture by its first bytes, because the declared one can be wrong.

    Returns None if it is not a PNG, JPEG, WebP or GIF file.
    """
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if picture.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    if picture[:6] in {b"GIF87a", b"GIF89a"}:
        return "image/gif"
    return None


def picture_size(picture: bytes) -> tuple[int, int] | None:
    """Return the width and height of a picture in pixels, or None if its header cannot be read."""
    match sniff_media_type(picture):
        case "image/png" if picture[12:16] == b"IHDR" and len(picture) >= 24:
            return _big(picture[16:20]), _big(picture[20:24])
        case "image/jpeg" if (frame := jpeg_frame(picture)) is not None:
            return _big(picture[frame + 7 : frame + 9]), _big(picture[frame + 5 : frame + 7])
        case "image/webp" if len(picture) >= 30:
            return _webp_size(picture)
        case "image/gif" if len(picture) >= 10:
            return _little(picture[6:8]), _little(picture[8:10])
        case _:
            return None


def jpeg_frame(picture: bytes) -> int | None:
    """Return the position of the marker of a JPEG's frame header, which has the size.

    Source: https://www.w3.org/Graphics/JPEG/itu-t81.pdf, appendix B
    """
    position = 2
    for _ in range(_JPEG_MAX_MARKERS):
        position = picture.find(b"\xff", position)
        if position < 0 or position + 9 > len(picture):
            return None
        marker = picture[position + 1]
        if marker in _JPEG_SIZES:
            return position
        if marker in _JPEG_END:
            return None
        if marker in {0x00, 0xFF} or marker in _JPEG_WITHOUT_LENGTH:
            position += 1
        else:
            position += 2 + max(2, _big(picture[position + 2 : position + 4]))
    return None


def _webp_size(picture: bytes) -> tuple[int, int] | None:
    """Return the size of a WebP file. Source: https://developers.google.com/speed/webp/docs/riff_container"""
    match picture[12:16]:
        case b"VP8X":
            return _little(picture[24:27]) + 1, _little(picture[27:30]) + 1
        case b"VP8L" if picture[20] == 0x2F:
            bits = _little(picture[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 " if picture[23:26] == b"\x9d\x01\x2a":
            return _little(picture[26:28]) & 0x3FFF, _little(picture[28:30]) & 0x3FFF
        case _:
            return None


def _big(number: bytes) -> int:
    return int.from_bytes(number, "big")


def _little(number: bytes) -> int:
    return int.from_bytes(number, "little")
