"""Command `plushify generate`: makes a plushie without a server."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from plushify_web.cli.output import OutputFile
from plushify_web.cli.runtime import find_account, run
from plushify_web.cli.terminal import Json, print_json, spinner

if TYPE_CHECKING:
    from plushify_core import Catalog, Generation, StoredImage, User
    from plushify_web.container import Container

LOCAL_EMAIL = "you@localhost"
"""Email address of the account that pays by default. It is created at the first use."""


def generate(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write the picture to.", dir_okay=False, writable=True)
    ],
    photo: Annotated[
        Path | None,
        typer.Argument(metavar="PHOTO", help="Photo: JPEG, PNG or WebP.", exists=True, dir_okay=False, readable=True),
    ] = None,
    style: Annotated[str, typer.Option(help="Style in the catalog.")] = "classic",
    quality: Annotated[str, typer.Option(help="Quality in the catalog.")] = "standard",
    email: Annotated[str, typer.Option(help="Account on this machine that pays.")] = LOCAL_EMAIL,
    fetch: Annotated[
        UUID | None,
        typer.Option(metavar="ID", help="Write the picture of this earlier generation again, and pay nothing."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a plushie from a photo on this machine, without a server."""
    if (photo is None) == (fetch is None):
        raise typer.BadParameter("give either a PHOTO or --fetch ID.")

    async def make(container: "Container") -> dict[str, Any]:
        plushify = container.plushify()
        if fetch is not None:
            user = await find_account(container, email)
            generation = await _find(container, user, fetch)
        else:
            assert photo is not None
            user = await container.accounts().get_or_create(email)
            generation = await _draw(container, user, photo, style=style, quality=quality)
        picture = await _write(container, generation, file, email)
        subscription = await plushify.credits.ensure_subscription(user.id)
        model = await plushify.model.capabilities()
        return {
            "path": os.fsencode(output).decode(errors="replace"),
            "mediaType": picture.media_type,
            "width": picture.width,
            "height": picture.height,
            "style": generation.style,
            "styleName": _style_name(plushify.catalog, generation.style),
            "quality": generation.quality,
            "creditsSpent": 0 if fetch else generation.credits_cost,
            "balance": subscription.balance,
            "model": None if fetch else {"name": model.name, "title": model.title, "preview": model.preview},
            "id": str(generation.id),
        }

    # The file comes first, because a picture that cannot be written would still be paid for.
    with OutputFile(output) as file:
        result = run(make, uses_storage=True)
    if as_json:
        print_json(result)
        return
    drawn_by = "" if fetch else f"\n  drawn by  {result['model']['title']}"
    typer.echo(
        f"{result['path']}\n"
        f"  style     {result['styleName']}\n"
        f"  size      {result['width']} × {result['height']} px\n"
        f"  credits   {result['creditsSpent']} spent, {result['balance']} left"
        f"{drawn_by}"
    )


async def _find(container: "Container", user: "User", generation_id: UUID) -> "Generation":
    from plushify_core import NotFound

    try:
        return await container.plushify().gallery.get(user.id, generation_id)
    except NotFound:
        raise NotFound(message=f"{user.email} has no generation {generation_id}.") from None


async def _draw(container: "Container", user: "User", photo: Path, *, style: str, quality: str) -> "Generation":
    """Return the succeeded generation of the photo."""
    from plushify_core import InsufficientCredits

    plushify = container.plushify()
    model = await plushify.model.capabilities()
    with spinner(f"{model.title} is making a plushie"):
        try:
            with photo.open("rb") as file:
                # One byte over the limit is enough for `generate` to refuse the photo.
                data = file.read(plushify.limits.max_upload_bytes + 1)
            return await plushify.generate.generate(user.id, data, style=style, quality=quality)
        except InsufficientCredits as error:
            raise InsufficientCredits(
                message=f"{error.message} To get some: plushify credits grant {user.email} 10 --reason 'more'"
            ) from error
        finally:
            await plushify.generate.wait_for_cleanup()


async def _write(container: "Container", generation: "Generation", file: OutputFile, email: str) -> "StoredImage":
    """Write the picture to the file, and return its description.

    Raises:
        NotFound: the generation has no picture, or the picture could not be read or written. Then the message contains
            the command that writes it again.
    """
    import asyncio

    from plushify_core import NotFound
    from plushify_web.adapter_errors import os_error_message, storage_error_message

    picture = generation.generated
    if picture is None:
        raise NotFound(message=f"The generation {generation.id} has no picture: it is {generation.status}.")
    try:
        data = b"".join([chunk async for chunk in container.plushify().gallery.read(picture)])
        await asyncio.to_thread(file.write, data)
    except Exception as error:
        message = storage_error_message(error) or (os_error_message(error) if isinstance(error, OSError) else None)
        if message is None:
            raise
        account = "" if email == LOCAL_EMAIL else f" --email {email}"
        raise NotFound(
            message=f"The picture is drawn and stored, but it could not be written to {file.path}: {message}. "
            f"To write it again without paying: plushify generate --fetch {generation.id}{account} -o FILE"
        ) from error
    return picture


def _style_name(catalog: "Catalog", style: str) -> str:
    """Return the name of a style; its id if the catalog no longer has it."""
    return next((known.name for known in catalog.styles if known.id == style), style)
