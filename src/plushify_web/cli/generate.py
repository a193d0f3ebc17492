"""Command `plushify generate`: makes a plushie without a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plushify_web.cli.runtime import run
from plushify_web.cli.terminal import Json, print_json, spinner

if TYPE_CHECKING:
    from plushify_web.container import Container

LOCAL_EMAIL = "you@localhost"
"""Email address of the account that pays by default. It is created at the first use."""


def generate(
    photo: Annotated[
        Path,
        typer.Argument(metavar="PHOTO", help="Photo: JPEG, PNG or WebP.", exists=True, dir_okay=False, readable=True),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File to write the picture to.", dir_okay=False, writable=True)
    ],
    style: Annotated[str, typer.Option(help="Style in the catalog.")] = "classic",
    quality: Annotated[str, typer.Option(help="Quality in the catalog.")] = "standard",
    email: Annotated[str, typer.Option(help="Account on this machine that pays.")] = LOCAL_EMAIL,
    as_json: Json = False,
) -> None:
    """Make a plushie from a photo on this machine, without a server."""
    import asyncio
    import os

    from plushify_core import InsufficientCredits, InvalidInput

    if not (output.parent.is_dir() and os.access(output.parent, os.W_OK)):
        # Checked first, because a picture that cannot be written would still be paid for.
        raise InvalidInput(message=f"There is no folder {output.parent} that a picture could be put in.")

    async def make(container: "Container") -> dict[str, Any]:
        plushify = container.plushify()
        user = await container.accounts().get_or_create(email)
        model = await plushify.model.capabilities()
        with spinner(f"{model.title} is making a plushie"):
            try:
                with photo.open("rb") as file:
                    # One byte over the limit is enough for `generate` to refuse the photo.
                    data = file.read(plushify.limits.max_upload_bytes + 1)
                generation = await plushify.generate.generate(user.id, data, style=style, quality=quality)
            except InsufficientCredits as error:
                raise InsufficientCredits(
                    message=f"{error.message} To get some: plushify credits grant {user.email} 10 --reason 'more'"
                ) from error
            finally:
                await plushify.generate.wait_for_cleanup()
        picture = generation.generated
        assert picture is not None, "a succeeded generation has a picture"
        data = b"".join([chunk async for chunk in plushify.gallery.read(picture)])
        await asyncio.to_thread(output.write_bytes, data)
        subscription = await plushify.credits.ensure_subscription(user.id)
        return {
            "path": str(output),
            "mediaType": picture.media_type,
            "width": picture.width,
            "height": picture.height,
            "style": style,
            "styleName": plushify.catalog.style(style).name,
            "quality": quality,
            "creditsSpent": generation.credits_cost,
            "balance": subscription.balance,
            "model": {"name": model.name, "title": model.title, "preview": model.preview},
            "id": str(generation.id),
        }

    result = run(make, uses_storage=True)
    if as_json:
        print_json(result)
        return
    typer.echo(
        f"{result['path']}\n"
        f"  style     {result['styleName']}\n"
        f"  size      {result['width']} × {result['height']} px\n"
        f"  credits   {result['creditsSpent']} spent, {result['balance']} left\n"
        f"  drawn by  {result['model']['title']}"
    )
