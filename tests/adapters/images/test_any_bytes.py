"""Property test of the codec: any bytes give a photo or `InvalidInput`."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from plushify_adapters.images import VipsImageCodec
from plushify_core.domain.errors import InvalidInput
from plushify_core.ports import EncodedImage
from tests.adapters import photos

SAMPLES = [photos.secretive(kind) for kind in photos.PLAIN] + [photos.animated(kind) for kind in ("png", "webp", "gif")]
CODEC = VipsImageCodec(original_longest_side_px=16)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Generate a sample in which one to four stretches are replaced by random bytes of any length."""
    data = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        data = data[:start] + draw(st.binary(max_size=40)) + data[end:]
    return data


@settings(max_examples=300, deadline=None)
@given(st.one_of(damaged(), st.binary(max_size=200)))
def test_any_bytes_give_a_photo_or_a_reason(data: bytes) -> None:
    """The codec returns a photo within its size limit or raises `InvalidInput`, and never raises another error."""
    outcome: EncodedImage | InvalidInput
    try:
        outcome = asyncio.run(CODEC.sanitise(data, max_pixels=1_000_000))
    except InvalidInput as error:
        outcome = error

    assert isinstance(outcome, InvalidInput) or max(outcome.width, outcome.height) <= 16
