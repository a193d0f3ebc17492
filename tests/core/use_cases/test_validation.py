"""Refused submissions: bad photos, choices and keys, too few credits, and too many unfinished generations."""

import asyncio

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import InsufficientCredits, InvalidInput, Limits, PlushifyError, RateLimited, Reason
from tests.in_memory import PHOTO, InMemoryPlushify
from tests.virtual_time import on_virtual_time


async def refusal(
    plushify: InMemoryPlushify,
    photo: bytes = PHOTO,
    *,
    style: str = "kawaii",
    quality: str = "standard",
    key: str | None = None,
) -> PlushifyError:
    """Return the error of a submission that must be refused, with nothing charged and nothing stored."""
    before = await plushify.amounts()
    with pytest.raises(PlushifyError) as caught:
        await plushify.generate.submit("ann", photo, style=style, quality=quality, idempotency_key=key)
    assert await plushify.amounts() == before
    assert plushify.blobs.blobs == {}
    return caught.value


@pytest.mark.parametrize(
    ("photo", "reason"),
    [
        (b"", Reason.IMAGE_EMPTY),
        (b"hello", Reason.UNSUPPORTED_IMAGE_FORMAT),
        (PHOTO[:-1], Reason.IMAGE_CORRUPT),
        (PHOTO + PHOTO, Reason.IMAGE_ANIMATED),
        (b"P6\n1 1\n255\n123", Reason.IMAGE_TOO_SMALL),
        (b"P6\n60000 60000\n255\n", Reason.IMAGE_TOO_MANY_PIXELS),
        (PHOTO + bytes(101), Reason.IMAGE_TOO_LARGE),
    ],
)
@on_virtual_time
async def test_bad_photos(photo: bytes, reason: Reason) -> None:
    """A photo that cannot be used is refused with the reason."""
    error = await refusal(InMemoryPlushify(limits=Limits(max_upload_bytes=100)), photo)

    assert (type(error), error.reason, error.retryable) == (InvalidInput, reason, False)


@on_virtual_time
async def test_size_limit_in_the_message() -> None:
    """The message about a photo that is too large names the limit."""
    error = await refusal(InMemoryPlushify(), bytes(10 * 1024**2 + 1))

    assert error.message == "The file is larger than 10 MB. Choose a smaller photo."


@on_virtual_time
async def test_bad_choices() -> None:
    """An unknown style, an unknown quality and a quality that the model cannot draw are refused."""
    plushify = InMemoryPlushify(model=MemoryImageModel(largest_side_px=1024))

    reasons = [
        (await refusal(plushify, style="marble")).reason,
        (await refusal(plushify, quality="8k")).reason,
        (await refusal(plushify, quality="ultra")).reason,
    ]

    assert reasons == [Reason.UNKNOWN_STYLE, Reason.UNKNOWN_QUALITY, Reason.QUALITY_UNAVAILABLE]


@pytest.mark.parametrize("key", ["", "a b", "ключ", "tab\t", "x" * 256])
@on_virtual_time
async def test_bad_idempotency_keys(key: str) -> None:
    """An idempotency key that is empty, too long or not visible ASCII is refused."""
    assert (await refusal(InMemoryPlushify(), key=key)).reason is Reason.IDEMPOTENCY_KEY_INVALID


@on_virtual_time
async def test_too_few_credits() -> None:
    """A user with too few credits is refused, and the error tells the balance."""
    error = await refusal(InMemoryPlushify(), quality="ultra")

    assert (type(error), error.balance) == (InsufficientCredits, 3)


@on_virtual_time
async def test_concurrent_submissions_with_one_credit() -> None:
    """Of a hundred concurrent submissions, one credit pays for one."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=1))

    results = await asyncio.gather(*(plushify.submit() for _ in range(100)), return_exceptions=True)

    assert sum(isinstance(result, InsufficientCredits) for result in results) == 99
    assert await plushify.amounts() == [1, -1]


@on_virtual_time
async def test_too_many_in_flight() -> None:
    """A user with too many unfinished generations is refused uncharged until one of them has ended."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=10, max_in_flight_per_user=2))
    running = [await plushify.submit(), await plushify.submit()]

    with pytest.raises(RateLimited) as caught:
        await plushify.submit()
    assert (caught.value.reason, caught.value.retry_after_s) == (Reason.TOO_MANY_IN_FLIGHT, 10)
    assert await plushify.balance() == 8
    await plushify.submit("bob")
    await plushify.generate.run(running[0].id)
    await plushify.submit()


@on_virtual_time
async def test_refuses_before_decoding_the_photo() -> None:
    """Too few credits and too many unfinished generations are found before the photo is decoded."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=1, max_in_flight_per_user=1))
    await plushify.submit()
    with pytest.raises(InsufficientCredits):
        await plushify.submit(photo=b"no photo")
    await plushify.credits.add_credits("ann", 5, reason="gift")
    with pytest.raises(RateLimited):
        await plushify.submit(photo=b"no photo")
    with pytest.raises(InvalidInput):
        await plushify.submit("ben", photo=b"no photo")
