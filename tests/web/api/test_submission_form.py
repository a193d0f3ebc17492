"""Multipart form of a submission: malformed bodies and size limits."""

import gc
from collections.abc import AsyncIterator

import pytest

from plushify_web.api.generations import FORM_MAX_PARTS
from plushify_web.settings import Settings
from tests.web.conftest import PHOTO, Client, submit

pytestmark = pytest.mark.anyio


async def test_malformed_forms_are_problems(client: Client) -> None:
    """A body of another media type, a truncated form and a field in a wrong charset are client errors, not bugs."""
    url = "/api/generations"
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    field = b'--x\r\nContent-Disposition: form-data; name="style"\r\n'
    assert (await client.post(url, json={"style": "kawaii"})).status_code == 415
    assert (await client.post(url)).status_code == 415
    for content in (
        b"",
        b"nonsense",
        field + b"\r\nkaw",
        field + b"\r\n\xff\xfe\r\n--x--\r\n",
        field + b"Content-Type: text/plain; charset=nonsense\r\n\r\nkawaii\r\n--x--\r\n",
        b"".join(field + b"\r\nkawaii\r\n" for _ in range(100)) + b"--x--\r\n",
    ):
        response = await client.post(url, content=content, headers=boundary)
        assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT"), content


async def test_limits_the_parts_of_a_form(client: Client) -> None:
    """A form with more than `FORM_MAX_PARTS` parts is refused, with any names."""
    parts = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nany\r\n' % number
        for number in range(FORM_MAX_PARTS + 1)
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = await client.post("/api/generations", content=parts + b"--x--\r\n", headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")


class TestUploadLimit:
    @pytest.fixture
    def settings(self) -> Settings:
        """Return settings with a small limit."""
        return Settings(max_upload_bytes=1000, drain_s=0)

    async def test_refuses_a_photo_over_the_limit(self, client: Client) -> None:
        """A photo larger than `max_upload_bytes` is refused."""
        response = await submit(client, PHOTO + bytes(1000))
        assert (response.status_code, response.json()["reason"]) == (413, "image_too_large")

    # Litestar 2.25 does not close its temporary file, so the garbage collector closes it with a warning.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
    async def test_stops_reading_an_endless_body(self, client: Client) -> None:
        """A body of unknown length is read only up to the limit."""
        read = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal read
            yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
            while True:
                read += 65_536
                yield bytes(65_536)

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        response = await client.post("/api/generations", content=endless(), headers=headers)
        gc.collect()  # so that the warning occurs in this test and not in a later one
        assert (response.status_code, response.json()["reason"]) == (413, "image_too_large")
        assert read <= 4 * 65_536
