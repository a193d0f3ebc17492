"""Generations resource: submission of photos, and the gallery."""

from contextlib import nullcontext
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.exceptions import ClientException, HTTPException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg, FromPath, HeaderParameter, QueryParameter
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE, HTTP_415_UNSUPPORTED_MEDIA_TYPE

from plushify_core import (
    CreditsUseCase,
    GalleryUseCase,
    GenerateUseCase,
    Generation,
    GenerationFailed,
    InvalidInput,
    Limits,
    NotFound,
    Reason,
    Runner,
    User,
)
from plushify_core.ports import GalleryFilter, Sort
from plushify_web.api.headers import parse_prefer
from plushify_web.api.pagination import Cursor, Limit, parse_cursor
from plushify_web.api.problems import Problem, from_plushify, problem_responses
from plushify_web.api.schemas import GenerationBody, GenerationsBody
from plushify_web.identity.authentication import signed_in

FORM_OVERHEAD_BYTES = 64 * 1024
"""Size of the other fields and the part boundaries, which a request body may have in addition to the photo."""

FORM_MAX_PARTS = 10
"""Maximum number of parts of a form. A submission has three."""

CATALOG_ID = "^[^\\x00]*$"
"""Text without NUL characters, which PostgreSQL cannot store or compare.

Source: https://www.postgresql.org/docs/current/datatype-character.html
"""


class SubmissionForm(msgspec.Struct, kw_only=True):
    """Multipart form of a submission."""

    image: UploadFile | None = None
    style: str = ""
    quality: str = ""


async def read_form(request: Request[Any, Any, Any]) -> None:
    """Parse the whole form before the handler runs, so that every parse error becomes a problem response.

    Raises:
        HTTPException: the body is not `multipart/form-data` (415).
        ClientException: the form cannot be decoded (400).
    """
    if request.content_type[0] != RequestEncodingType.MULTI_PART:
        raise HTTPException(status_code=HTTP_415_UNSUPPORTED_MEDIA_TYPE, detail="not a form")
    try:
        await request.form()
    except (UnicodeDecodeError, LookupError) as error:  # wrong or unknown charset of a field
        raise ClientException("not a form") from error


def too_large(request: Request[Any, Any, Any], _: HTTPException) -> Response[Problem]:
    """Return the problem of a body over the size limit. The rest of the body is not read."""
    return from_plushify(request, InvalidInput(Reason.IMAGE_TOO_LARGE))


class GenerationsController(Controller):
    """Generations of the signed-in user."""

    path = "/generations"
    tags = ("generations",)
    guards = (signed_in,)

    @post(
        operation_id="submitGeneration",
        summary="Submit a photo",
        before_request=read_form,
        exception_handlers={HTTP_413_REQUEST_ENTITY_TOO_LARGE: too_large},
        responses={
            202: ResponseSpec(GenerationBody, generate_examples=False, description="Accepted, not finished"),
            **problem_responses(400, 401, 402, 404, 413, 415, 422, 429, 502, 504),
        },
    )
    async def submit(
        self,
        data: Annotated[
            SubmissionForm,
            BodyKwarg(media_type=RequestEncodingType.MULTI_PART),
        ],
        user: NamedDependency[User],
        generate: NamedDependency[GenerateUseCase],
        credits: NamedDependency[CreditsUseCase],
        runner: NamedDependency[Runner],
        limits: NamedDependency[Limits],
        idempotency_key: Annotated[
            str | None,
            HeaderParameter(
                name="Idempotency-Key",
                description="1 to 255 visible ASCII characters. A repeated request with the same key is charged once.",
            ),
        ] = None,
        prefer: Annotated[
            str | None, HeaderParameter(name="Prefer", description="`respond-async` or `wait=N` seconds (RFC 7240).")
        ] = None,
    ) -> Response[GenerationBody]:
        """Submit a photo and wait until its generation ends.

        Returns 201 with the succeeded generation. If the wait of the `Prefer` header ends first, returns 202 with the
        unfinished generation. The generation continues if the client disconnects.
        """
        if data.image is None:
            raise InvalidInput(Reason.IMAGE_MISSING)
        replay = idempotency_key is not None and await generate.has_key(user.id, idempotency_key)
        # Reserved before the photo is in memory. A replay has been paid for, so it is never refused.
        with nullcontext() if replay else runner.reserve():
            generation = await generate.submit(
                user.id,
                await data.image.read(),
                style=data.style,
                quality=data.quality,
                idempotency_key=idempotency_key,
            )
            if not generation.finished:
                runner.start(generation.id, user_id=user.id)
        preference = parse_prefer(prefer)
        if not generation.finished:
            longest_s = limits.timeout_s + limits.settle_timeout_s
            patience_s = longest_s if preference.patience_s is None else min(preference.patience_s, longest_s)
            try:
                generation = await runner.wait(user.id, generation.id, timeout_s=patience_s)
            except NotFound as error:  # it ended, and the user deleted it at once
                raise NotFound(charged=await credits.is_charged(generation.id)) from error
        await _raise_failure(generation, credits)

        headers = {"Location": f"/api/generations/{generation.id}", "Cache-Control": "no-store", "Vary": "Prefer"}
        if not generation.finished and preference.applied:
            headers["Preference-Applied"] = preference.applied
        return Response(GenerationBody.of(generation), status_code=201 if generation.finished else 202, headers=headers)

    @get(operation_id="listGenerations", summary="List my generations", responses=problem_responses(400, 401))
    async def index(
        self,
        user: NamedDependency[User],
        gallery: NamedDependency[GalleryUseCase],
        limit: Limit = 20,
        cursor: Cursor = None,
        style: Annotated[str | None, QueryParameter(pattern=CATALOG_ID, description="id of a style")] = None,
        quality: Annotated[str | None, QueryParameter(pattern=CATALOG_ID, description="id of a quality")] = None,
        sort: Annotated[Sort, QueryParameter(description="order by time of submission")] = Sort.NEWEST,
    ) -> GenerationsBody:
        """Return a page of the generations of the signed-in user (keyset pagination)."""
        filter = GalleryFilter(style=style, quality=quality, sort=sort)
        page = await gallery.list(user.id, filter, cursor=parse_cursor(cursor), limit=limit)
        return GenerationsBody(
            items=[GenerationBody.of(generation) for generation in page.items],
            next_cursor=page.next_cursor,
            total=page.total,
        )

    @get(
        "/{generation_id:uuid}",
        operation_id="getGeneration",
        summary="Return one generation",
        responses=problem_responses(400, 401, 404),
    )
    async def show(
        self, user: NamedDependency[User], gallery: NamedDependency[GalleryUseCase], generation_id: FromPath[UUID]
    ) -> GenerationBody:
        """Return one generation of the signed-in user."""
        return GenerationBody.of(await gallery.get(user.id, generation_id))

    @delete(
        "/{generation_id:uuid}",
        operation_id="deleteGeneration",
        summary="Delete a generation",
        responses=problem_responses(400, 401, 404, 422),
    )
    async def remove(
        self, user: NamedDependency[User], gallery: NamedDependency[GalleryUseCase], generation_id: FromPath[UUID]
    ) -> None:
        """Delete a generation. It can be restored within the undo window; after that it is purged."""
        await gallery.delete(user.id, generation_id)

    @post(
        "/{generation_id:uuid}/restore",
        operation_id="restoreGeneration",
        summary="Restore a deleted generation",
        status_code=200,
        responses=problem_responses(400, 401, 404, 422),
    )
    async def restore(
        self, user: NamedDependency[User], gallery: NamedDependency[GalleryUseCase], generation_id: FromPath[UUID]
    ) -> GenerationBody:
        """Restore a deleted generation within the undo window."""
        return GenerationBody.of(await gallery.restore(user.id, generation_id))


async def _raise_failure(generation: Generation, credits: CreditsUseCase) -> None:
    """Raise `GenerationFailed` if the generation has failed.

    It reports that nothing was charged, because failure and refund are committed atomically.
    """
    failure = generation.failure
    if failure is None:
        return
    balance = (await credits.ensure_subscription(generation.user_id)).balance
    raise GenerationFailed(failure.reason, charged=False, retryable=failure.retryable, balance=balance)
