"""Image files for tests, generated on demand: ordinary photos, unusual photos, and files that must be refused."""

import struct
import zlib
from collections.abc import Callable

import pyvips

SECRET = b"SECRET-METADATA"

Colour = tuple[int, int, int]
RED, GREEN, BLUE, YELLOW = (220, 30, 40), (30, 200, 60), (40, 60, 210), (230, 210, 40)
CORNERS: tuple[Colour, ...] = (RED, GREEN, BLUE, YELLOW)
"""Colours of the quarters of an upright photo: top left, top right, bottom left, bottom right."""


def picture(width: int, height: int) -> pyvips.Image:
    """Return an image of four quarters in one colour each, with noise that keeps its files from being tiny."""
    xy = pyvips.Image.xyz(width, height)
    right, bottom = xy[0] >= width / 2, xy[1] >= height / 2
    above, below = right.ifthenelse(list(GREEN), list(RED)), right.ifthenelse(list(YELLOW), list(BLUE))
    grain = pyvips.Image.gaussnoise(width, height, sigma=4, mean=0, seed=7)
    return (bottom.ifthenelse(below, above) + grain).cast("uchar").copy(interpretation="srgb").copy_memory()


def corners(data: bytes) -> list[Colour]:
    """Return the colours in the middle of the four quarters of a file, without applying its orientation."""
    image = pyvips.Image.new_from_buffer(data, "").colourspace("srgb")
    points = [(x * image.width // 4, y * image.height // 4) for y in (1, 3) for x in (1, 3)]
    found = []
    for x, y in points:
        red, green, blue = image.getpoint(x, y)[:3]
        found.append((int(red), int(green), int(blue)))
    return found


def alike(found: list[Colour], expected: tuple[Colour, ...] = CORNERS, *, tolerance: int = 24) -> bool:
    """Return whether the colours are the same within the tolerance, which allows for noise and compression."""
    return all(
        abs(a - b) <= tolerance
        for one, other in zip(found, expected, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def jpeg(width: int = 60, height: int = 40) -> bytes:
    """Return a JPEG without metadata."""
    return bytes(picture(width, height).jpegsave_buffer(Q=90, keep="none"))


def png(width: int = 60, height: int = 40) -> bytes:
    """Return a PNG without metadata."""
    return bytes(picture(width, height).pngsave_buffer(keep="none"))


def webp(width: int = 60, height: int = 40) -> bytes:
    """Return a WebP without metadata."""
    return bytes(picture(width, height).webpsave_buffer(Q=90, keep="none"))


def gif(width: int = 60, height: int = 40) -> bytes:
    """Return a still GIF without metadata."""
    return bytes(picture(width, height).gifsave_buffer(dither=0, keep="none"))


PLAIN: dict[str, Callable[[int, int], bytes]] = {"jpeg": jpeg, "png": png, "webp": webp, "gif": gif}


# ── photos with metadata ────────────────────────────────────────────────────────────────────────────────────

_STORED_AS: dict[int, Callable[[pyvips.Image], pyvips.Image]] = {
    1: lambda upright: upright,
    2: lambda upright: upright.fliphor(),
    3: lambda upright: upright.rot180(),
    4: lambda upright: upright.flipver(),
    5: lambda upright: upright.rot90().fliphor(),
    6: lambda upright: upright.rot270(),
    7: lambda upright: upright.rot270().fliphor(),
    8: lambda upright: upright.rot90(),
}


def phone_jpeg(orientation: int, *, width: int = 60, height: int = 40) -> bytes:
    """Return a JPEG as a phone writes it: stored rotated, with GPS and other metadata.

    Args:
        orientation: EXIF orientation, 1 to 8.
        width, height: size in px of the upright photo.
    """
    rotated = _STORED_AS[orientation](picture(width, height)).jpegsave_buffer(Q=90, keep="none")
    segments = (
        _segment(0xE1, b"Exif\0\0" + exif(orientation))
        + _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + SECRET + b"</x:xmpmeta>")
        + _segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(SECRET)) + SECRET + b"\0")
        + _segment(0xFE, SECRET)
    )
    return rotated[:2] + segments + rotated[2:]


def exif(orientation: int) -> bytes:
    """Return an EXIF block with orientation, GPS position, and `SECRET` as artist (CIPA DC-008, section 4.6)."""
    ifd0, gps, texts = 8, 8 + 2 + 3 * 12 + 4, 8 + 2 + 3 * 12 + 4 + 2 + 4 * 12 + 4
    latitude = texts + len(SECRET) + 1
    degrees = struct.pack(">6I", 48, 1, 51, 1, 30, 1)
    return b"".join(
        [
            struct.pack(">2sHI", b"MM", 42, ifd0),
            struct.pack(">H", 3),
            struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0),
            struct.pack(">HHII", 0x013B, 2, len(SECRET) + 1, texts),
            struct.pack(">HHII", 0x8825, 4, 1, gps),
            struct.pack(">I", 0),
            struct.pack(">H", 4),
            struct.pack(">HHI4s", 0x0001, 2, 2, b"N\0\0\0"),
            struct.pack(">HHII", 0x0002, 5, 3, latitude),
            struct.pack(">HHI4s", 0x0003, 2, 2, b"E\0\0\0"),
            struct.pack(">HHII", 0x0004, 5, 3, latitude),
            struct.pack(">I", 0),
            SECRET + b"\0",
            degrees,
        ]
    )


def secretive(kind: str, width: int = 40, height: int = 30) -> bytes:
    """Return a file in this format with `SECRET` in the metadata that tests can write: EXIF, XMP or comments."""
    image = picture(width, height).copy()
    image.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>")
    if kind == "jpeg":
        return phone_jpeg(1, width=width, height=height)
    if kind == "png":
        text = _chunk(b"tEXt", b"Comment\0" + SECRET) + _chunk(b"eXIf", exif(1))
        return _with_chunks(bytes(image.pngsave_buffer()), text)
    if kind == "webp":
        return bytes(image.webpsave_buffer(Q=90))
    comment = b"\x21\xfe" + bytes([len(SECRET)]) + SECRET + b"\0"
    return gif(width, height)[:-1] + comment + b"\x3b"


# ── unusual photos ──────────────────────────────────────────────────────────────────────────────────────────


def strange(width: int = 60, height: int = 40) -> dict[str, bytes]:
    """Return photos in unusual variants of their formats, by name, all with the same four quarters."""
    image = picture(width, height)
    opaque = image.bandjoin(255)
    display_p3 = image.icc_transform("p3", input_profile="srgb")
    return {
        "cmyk jpeg": image.icc_transform("cmyk", input_profile="srgb").jpegsave_buffer(Q=95),
        "cmyk jpeg without profile": image.icc_transform("cmyk", input_profile="srgb").jpegsave_buffer(
            Q=95, keep="none"
        ),
        "wide-gamut jpeg": display_p3.jpegsave_buffer(Q=95),
        "progressive jpeg": image.jpegsave_buffer(Q=95, interlace=True),
        "jpeg with a broken profile": _with_profile(image, b"no profile" * 20).jpegsave_buffer(Q=95),
        "16-bit png": image.colourspace("rgb16").pngsave_buffer(),
        "16-bit png with alpha": opaque.colourspace("rgb16").pngsave_buffer(),
        "interlaced png": image.pngsave_buffer(interlace=True),
        "palette png": image.pngsave_buffer(palette=True),
        "palette png with alpha": opaque.pngsave_buffer(palette=True),
        "lossless webp": image.webpsave_buffer(lossless=True),
        "webp with alpha": opaque.webpsave_buffer(Q=95),
    }


def grey() -> dict[str, bytes]:
    """Return greyscale photos of a single grey, by name."""
    image = pyvips.Image.black(60, 40) + 100
    image = image.cast("uchar").copy(interpretation="b-w")
    profile = picture(4, 4).icc_transform("p3", input_profile="srgb").get("icc-profile-data")
    return {
        "grey jpeg": image.jpegsave_buffer(),
        "grey jpeg with a profile for colours": _with_profile(image, profile).jpegsave_buffer(),
        "grey png": image.pngsave_buffer(),
        "16-bit grey png": image.colourspace("grey16").pngsave_buffer(),
        "grey png with alpha": image.bandjoin(255).pngsave_buffer(),
    }


def transparent(kind: str) -> bytes:
    """Return a photo whose right half is fully transparent black."""
    image = picture(60, 40)
    opacity = pyvips.Image.xyz(60, 40)[0] < 30
    image = (image * (opacity / 255)).cast("uchar").bandjoin(opacity).copy(interpretation="srgb")
    if kind == "16-bit png":
        return bytes(image.colourspace("rgb16").pngsave_buffer())
    return bytes({"png": image.pngsave_buffer, "webp": image.webpsave_buffer, "gif": image.gifsave_buffer}[kind]())


# ── files to refuse ─────────────────────────────────────────────────────────────────────────────────────────


def animated(kind: str, *, frames: int = 2) -> bytes:
    """Return an animated file in this format."""
    if kind == "png":
        return _with_chunks(png(), _chunk(b"acTL", struct.pack(">II", frames, 0)))
    strip = picture(60, 40)
    for _ in range(frames - 1):
        strip = strip.join(picture(60, 40).invert(), "vertical")
    strip = strip.copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", 40)
    return bytes(strip.webpsave_buffer() if kind == "webp" else strip.gifsave_buffer())


def huge_header(kind: str, side: int = 60_000) -> bytes:
    """Return a small file whose header declares sides of this many px."""
    if kind == "png":
        data = png()
        return data[:8] + _chunk(b"IHDR", struct.pack(">II", side, side) + data[24:29]) + data[33:]
    if kind == "gif":
        return gif().replace(struct.pack("<HH", 60, 40), struct.pack("<HH", side, side))  # of canvas and frame
    data = jpeg()
    size = data.index(b"\xff\xc0") + 5
    return data[:size] + struct.pack(">HH", side, side) + data[size + 4 :]


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _with_chunks(data: bytes, chunks: bytes) -> bytes:
    """Return a PNG with additional chunks after its header."""
    return data[:33] + chunks + data[33:]


def _with_profile(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image
