"""The bytes of the pictures."""

import pytest

from plushify_adapters.memory import MemoryBlobStore
from plushify_core import GalleryUseCase, StoredImage
from plushify_web.container import Container
from tests.web.conftest import PHOTO, Client, make

pytestmark = pytest.mark.anyio


async def test_pictures_are_private_and_asked_for_again(client: Client) -> None:
    """A picture comes with its media type and length, for this browser only, and unchanged it is not sent twice."""
    made = await make(client)
    response = await client.get(made["originalUrl"])

    assert response.content == PHOTO
    assert response.headers["Content-Type"] == "image/x-portable-pixmap"
    assert response.headers["Content-Length"] == str(len(PHOTO))
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert response.headers["Content-Disposition"] == "inline"
    known = {"If-None-Match": f'W/"other", {response.headers["ETag"]}'}
    again = await client.get(made["originalUrl"], headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert (await client.get(made["generatedUrl"], headers=known)).status_code == 200


async def test_a_download_has_a_name(client: Client) -> None:
    """`?download=1` makes a file of it."""
    made = await make(client)
    response = await client.get(made["generatedUrl"], params={"download": 1})

    disposition = response.headers["Content-Disposition"]
    assert disposition == f'attachment; filename="plushify-{made["id"][-12:]}-generated.img"'


async def test_a_store_that_signs_addresses_serves_downloads(
    client: Client, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download is redirected to where the blob store serves it; what the page shows comes from here."""
    made = await make(client)

    async def signed(_: GalleryUseCase, image: StoredImage, *, expires_s: int, download_name: str | None = None) -> str:
        return f"https://blobs.test/{image.key}?name={download_name}&expires={expires_s}"

    monkeypatch.setattr(GalleryUseCase, "url", signed)
    redirected = await client.get(made["generatedUrl"], params={"download": 1})
    assert redirected.status_code == 307
    assert redirected.headers["Location"].startswith(f"https://blobs.test/generations/{made['id']}/generated")
    assert redirected.headers["Cache-Control"] == "no-store"
    assert (await client.get(made["generatedUrl"])).status_code == 200


async def test_a_lost_picture_is_not_there(client: Client, container: Container) -> None:
    """A picture whose bytes are gone from the blob store answers 404, not a broken transfer."""
    made = await make(client)
    blobs: MemoryBlobStore = container.blobs()
    blobs.blobs.clear()

    assert (await client.get(made["generatedUrl"])).status_code == 404


async def test_there_are_three_pictures(client: Client) -> None:
    """Another name is no picture."""
    made = await make(client)
    assert (await client.get(f"/api/generations/{made['id']}/negative")).status_code == 404
