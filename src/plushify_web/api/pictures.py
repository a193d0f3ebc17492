"""Pictures resource: the stored pictures of a generation, visible only to its owner."""

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, PathParameter, QueryParameter
from litestar.response import Redirect, Stream

from plushify_core import BlobMissing, GalleryUseCase, NotFound, Rendition, User
from plushify_web.api.headers import matches
from plushify_web.api.problems import problem_responses
from plushify_web.identity.authentication import signed_in

log = logging.getLogger(__name__)

SIGNED_URL_S = 300
"""Lifetime of a signed URL, in seconds."""

_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}


class PicturesController(Controller):
    """Pictures of a generation."""

    path = "/generations/{generation_id:uuid}"
    tags = ("generations",)
    guards = (signed_in,)

    @get(
        "/{rendition:str}",
        operation_id="getPicture",
        summary="Return a picture of a generation",
        responses={
            200: ResponseSpec(bytes, generate_examples=False, description="The picture", media_type="image/*"),
            304: ResponseSpec(None, description="Not modified"),
            307: ResponseSpec(None, description="Redirect to a signed URL of the blob store (only with `download=1`)"),
            **problem_responses(400, 401, 404),
        },
    )
    async def show(
        self,
        request: Request[Any, Any, Any],
        user: NamedDependency[User],
        gallery: NamedDependency[GalleryUseCase],
        generation_id: FromPath[UUID],
        rendition: Annotated[str, PathParameter(description="`original`, `generated` or `thumbnail`.")],
        download: Annotated[bool, QueryParameter(description="Return the picture as a file with a name.")] = False,
    ) -> Response[Any]:
        """Return the bytes of a picture of a generation of the signed-in user."""
        if rendition not in set(Rendition):
            raise NotFound
        image = await gallery.image(user.id, generation_id, Rendition(rendition))
        name = f"plushify-{str(generation_id)[-12:]}-{rendition}.{_EXTENSIONS.get(image.media_type, 'img')}"
        # Only downloads are redirected: the content security policy forbids the page to show pictures of other hosts.
        if download and (url := await gallery.url(image, expires_s=SIGNED_URL_S, download_name=name)):
            return Redirect(url, status_code=307, headers={"Cache-Control": "no-store"})

        etag = f'"{generation_id}-{rendition}"'
        headers = {
            "ETag": etag,  # constant, because a stored picture never changes
            "Cache-Control": "private, no-cache",  # revalidated each time, so a deleted picture disappears at once
            "Content-Disposition": f'attachment; filename="{name}"' if download else "inline",
        }
        if matches(request, etag):
            return Response(b"", status_code=304, headers=headers)
        try:
            chunks = await _read_first_chunk(gallery.read(image))
        except BlobMissing:
            log.error("generation %s: its %s is missing in the blob store", generation_id, rendition)
            raise NotFound from None
        return Stream(chunks, media_type=image.media_type, headers={**headers, "Content-Length": str(image.size_bytes)})


async def _read_first_chunk(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return the same chunks with the first already read, so that its errors can still change the status."""
    first = await anext(chunks, b"")

    async def resumed() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return resumed()
