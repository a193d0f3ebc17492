"""Pictures resource."""

import pytest

from plushify_adapters.memory import MemoryBlobStore
from plushify_core import GalleryUseCase, StoredImage
from plushify_web.container import Container
from tests.web.conftest import PHOTO, Client, make

pytestmark = pytest.mark.anyio


async def test_pictures_are_private_and_revalidated(client: Client) -> None:
    """A picture has its media type and length, may be cached by its browser only, and is revalidated with its ETag."""
    generation = await make(client)
    response = await client.get(generation["originalUrl"])

    assert response.content == PHOTO
    assert response.headers["Content-Type"] == "image/x-portable-pixmap"
    assert response.headers["Content-Length"] == str(len(PHOTO))
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert response.headers["Content-Disposition"] == "inline"
    known = {"If-None-Match": f'W/"other", {response.headers["ETag"]}'}
    again = await client.get(generation["originalUrl"], headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert (await client.get(generation["generatedUrl"], headers=known)).status_code == 200


async def test_a_download_has_a_file_name(client: Client) -> None:
    """`?download=1` returns the picture as an attachment with a file name."""
    generation = await make(client)
    response = await client.get(generation["generatedUrl"], params={"download": 1})

    disposition = response.headers["Content-Disposition"]
    assert disposition == f'attachment; filename="plushify-{generation["id"][-12:]}-generated.img"'


async def test_downloads_are_redirected_to_signed_urls(
    client: Client, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the blob store signs URLs, downloads are redirected to it. Pictures for the page are not."""
    generation = await make(client)

    async def signed_url(
        _: GalleryUseCase, image: StoredImage, *, expires_s: int, download_name: str | None = None
    ) -> str:
        return f"https://blobs.test/{image.key}?name={download_name}&expires={expires_s}"

    monkeypatch.setattr(GalleryUseCase, "url", signed_url)
    redirected = await client.get(generation["generatedUrl"], params={"download": 1})
    assert redirected.status_code == 307
    assert redirected.headers["Location"].startswith(f"https://blobs.test/generations/{generation['id']}/generated")
    assert redirected.headers["Cache-Control"] == "no-store"
    assert (await client.get(generation["generatedUrl"])).status_code == 200


async def test_a_picture_without_blob_is_not_found(client: Client, container: Container) -> None:
    """If the blob of a picture is missing, the response is 404 instead of a broken transfer."""
    generation = await make(client)
    blobs: MemoryBlobStore = container.blobs()
    blobs.blobs.clear()

    assert (await client.get(generation["generatedUrl"])).status_code == 404


async def test_unknown_renditions_are_not_found(client: Client) -> None:
    """A rendition other than original, generated and thumbnail returns 404."""
    generation = await make(client)
    assert (await client.get(f"/api/generations/{generation['id']}/negative")).status_code == 404
