"""Making a plushie without a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plushify_web.cli.runtime import run
from plushify_web.cli.terminal import Json, print_json, spinner

if TYPE_CHECKING:
    from plushify_web.container import Container

LOCAL_EMAIL = "you@localhost"


def generate(
    photo: Annotated[
        Path,
        typer.Argument(metavar="PHOTO", help="A photo: JPEG, PNG or WebP.", exists=True, dir_okay=False, readable=True),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to put the picture.", dir_okay=False, writable=True)
    ],
    style: Annotated[str, typer.Option(help="A style of the catalog.")] = "classic",
    quality: Annotated[str, typer.Option(help="A quality of the catalog.")] = "standard",
    email: Annotated[str, typer.Option(help="Whose credits pay; an account on this machine.")] = LOCAL_EMAIL,
    as_json: Json = False,
) -> None:
    """Make a plushie of a photo on this machine, without a server."""
    import asyncio
    import os

    from plushify_core import InsufficientCredits, InvalidInput

    if not (output.parent.is_dir() and os.access(output.parent, os.W_OK)):
        # Found out before anything is paid.
        raise InvalidInput(message=f"There is no folder {output.parent} that a picture could be put in.")

    async def make(container: "Container") -> dict[str, Any]:
        plushify = container.plushify()
        user = await container.accounts().get_or_create(email)
        model = await plushify.model.capabilities()
        with spinner(f"{model.title} is making a plushie"):
            try:
                with photo.open("rb") as file:
                    # One byte over the limit is enough to be refused.
                    data = file.read(plushify.limits.max_upload_bytes + 1)
                generation = await plushify.generate.generate(user.id, data, style=style, quality=quality)
            except InsufficientCredits as error:
                raise InsufficientCredits(
                    message=f"{error.message} To get some: plushify credits grant {user.email} 10 --reason 'more'"
                ) from error
            finally:
                await plushify.generate.wait_for_cleanup()
        picture = generation.generated
        assert picture is not None, "a generation that did not fail has its picture"
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

    made = run(make)
    if as_json:
        print_json(made)
        return
    typer.echo(
        f"{made['path']}\n"
        f"  style     {made['styleName']}\n"
        f"  size      {made['width']} × {made['height']} px\n"
        f"  credits   {made['creditsSpent']} spent, {made['balance']} left\n"
        f"  drawn by  {made['model']['title']}"
    )
