"""Making plushies, and the gallery of those made."""

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
from litestar.params import BodyKwarg, FromPath, FromQuery, HeaderParameter, QueryParameter
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE, HTTP_415_UNSUPPORTED_MEDIA_TYPE

from plushify_core import (
    CreditsUseCase,
    GalleryUseCase,
    GenerateUseCase,
    Generation,
    GenerationFailed,
    InvalidInput,
    Limits,
    Reason,
    User,
)
from plushify_core.ports import GalleryFilter, Sort
from plushify_core.worker.runner import Runner
from plushify_web.api.headers import parse_prefer
from plushify_web.api.problems import Problem, from_plushify, problem_responses
from plushify_web.api.schemas import GenerationBody, GenerationsBody, cursor_of
from plushify_web.identity.authentication import signed_in

FORM_OVERHEAD_BYTES = 64 * 1024
"""What a form may be larger than the photo in it: the other fields, and the lines between them."""

FORM_MAX_PARTS = 10

CATALOG_ID = "^[^\\x00]*$"
"""Any text but one with a NUL character, which PostgreSQL cannot compare."""


class SubmissionForm(msgspec.Struct, kw_only=True):
    """The form that asks for a plushie."""

    image: UploadFile | None = None
    style: str = ""
    quality: str = ""


async def read_form(request: Request[Any, Any, Any]) -> None:
    """Read the whole form before anything is made of it, so that whatever is wrong with it is told as a problem."""
    if request.content_type[0] != RequestEncodingType.MULTI_PART:
        raise HTTPException(status_code=HTTP_415_UNSUPPORTED_MEDIA_TYPE, detail="not a form")
    try:
        await request.form()
    except (UnicodeDecodeError, LookupError) as error:  # a field in a character set that it is not in, or none knows
        raise ClientException("not a form") from error


def too_large(request: Request[Any, Any, Any], _: HTTPException) -> Response[Problem]:
    """The body was larger than any photo may be; the rest of it was not read."""
    return from_plushify(request, InvalidInput(Reason.IMAGE_TOO_LARGE))


class GenerationsController(Controller):
    """Generations."""

    path = "/generations"
    tags = ("generations",)
    guards = (signed_in,)

    @post(
        operation_id="submitGeneration",
        summary="Make a plushie of a photo",
        before_request=read_form,
        exception_handlers={HTTP_413_REQUEST_ENTITY_TOO_LARGE: too_large},
        responses={
            202: ResponseSpec(GenerationBody, generate_examples=False, description="Accepted; not done yet"),
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
        idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
        prefer: Annotated[str | None, HeaderParameter(name="Prefer")] = None,
    ) -> Response[GenerationBody]:
        """Submit a photo. Answers 201 with the picture, or 202 if the client does not want to wait that long.

        Who goes away before the answer loses nothing: the generation goes on, and stands in the gallery.
        """
        if data.image is None:
            raise InvalidInput(Reason.IMAGE_MISSING)
        replay = idempotency_key is not None and await generate.has_key(user.id, idempotency_key)
        # Before the photo is in memory. What was paid for is never refused.
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
            longest_s = limits.timeout_s + limits.lease_margin_s
            patience_s = longest_s if preference.patience_s is None else min(preference.patience_s, longest_s)
            generation = await runner.wait(user.id, generation.id, timeout_s=patience_s)
        await _raise_failure(generation, credits)

        headers = {"Location": f"/api/generations/{generation.id}", "Cache-Control": "no-store", "Vary": "Prefer"}
        if not generation.finished and preference.applied:
            headers["Preference-Applied"] = preference.applied
        return Response(GenerationBody.of(generation), status_code=201 if generation.finished else 202, headers=headers)

    @get(operation_id="listGenerations", summary="My gallery", responses=problem_responses(400, 401))
    async def index(
        self,
        user: NamedDependency[User],
        gallery: NamedDependency[GalleryUseCase],
        limit: Annotated[int, QueryParameter(description="how many at most")] = 20,
        cursor: FromQuery[str | None] = None,
        style: Annotated[str | None, QueryParameter(pattern=CATALOG_ID)] = None,
        quality: Annotated[str | None, QueryParameter(pattern=CATALOG_ID)] = None,
        sort: FromQuery[Sort] = Sort.NEWEST,
    ) -> GenerationsBody:
        """A page of my generations."""
        wanted = GalleryFilter(style=style, quality=quality, sort=sort)
        page = await gallery.list(user.id, wanted, cursor=cursor_of(cursor), limit=limit)
        return GenerationsBody(
            items=[GenerationBody.of(generation) for generation in page.items],
            next_cursor=page.next_cursor,
            total=page.total,
        )

    @get(
        "/{generation_id:uuid}",
        operation_id="getGeneration",
        summary="One of mine",
        responses=problem_responses(400, 401, 404),
    )
    async def show(
        self, user: NamedDependency[User], gallery: NamedDependency[GalleryUseCase], generation_id: FromPath[UUID]
    ) -> GenerationBody:
        """One of my generations."""
        return GenerationBody.of(await gallery.get(user.id, generation_id))

    @delete(
        "/{generation_id:uuid}",
        operation_id="deleteGeneration",
        summary="Delete",
        responses=problem_responses(400, 401, 404, 422),
    )
    async def remove(
        self, user: NamedDependency[User], gallery: NamedDependency[GalleryUseCase], generation_id: FromPath[UUID]
    ) -> None:
        """Delete a generation. It can be restored for a short while, then it is erased."""
        await gallery.delete(user.id, generation_id)

    @post(
        "/{generation_id:uuid}/restore",
        operation_id="restoreGeneration",
        summary="Undo a deletion",
        status_code=200,
        responses=problem_responses(400, 401, 404, 422),
    )
    async def restore(
        self, user: NamedDependency[User], gallery: NamedDependency[GalleryUseCase], generation_id: FromPath[UUID]
    ) -> GenerationBody:
        """Bring a deleted generation back, as it was."""
        return GenerationBody.of(await gallery.restore(user.id, generation_id))


async def _raise_failure(generation: Generation, credits: CreditsUseCase) -> None:
    """A failed generation is an error. The failure and the refund are one transaction: the user is not charged."""
    if generation.failure is None:
        return
    balance = (await credits.ensure_subscription(generation.user_id)).balance
    failure = generation.failure
    raise GenerationFailed(failure.reason, charged=False, retryable=failure.retryable, balance=balance)
