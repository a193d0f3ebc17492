"""Adapter of the port `ImageModel` for the felt renderer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from plushify_adapters.felt._photo import UnreadablePhoto
from plushify_adapters.felt._render import render
from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing, ModelFacts
from plushify_core.ports import Capabilities, ImageModel, ModelError, ModelRequest, ModelResult

_NAME = "felt"
_LARGEST_SIDE_PX = 2048


class FeltModel(ImageModel):
    """Image model that draws felt pictures on this machine, free of charge.

    Args:
        max_at_once: number of pictures drawn at the same time; further requests are queued. Drawing keeps one
            processor core busy, and needs about 0.1 GB of memory at 1024 px and 0.3 GB at 2048 px.
    """

    def __init__(self, *, max_at_once: int = 2) -> None:
        self._threads = ThreadPoolExecutor(max_at_once, thread_name_prefix=_NAME)

    async def capabilities(self) -> Capabilities:
        """Return a preview model with pictures of up to 2048 px, free of charge."""
        return Capabilities(
            name=_NAME,
            title="Felt preview (built in)",
            largest_side_px=_LARGEST_SIDE_PX,
            preview=True,
            expected_cost_nano_usd=0,
        )

    async def generate(self, request: ModelRequest) -> ModelResult:
        """Draw the photo in felt with the recipe of the request's style; the prompt is ignored.

        A style of an operator's own catalog is drawn with `CUSTOM_STYLE_RECIPE`.

        Raises:
            ModelError: the photo cannot be read.
        """
        facts = ModelFacts(model=_NAME, provider="plushify", cost_nano_usd=0)
        photo = b"".join([chunk async for chunk in request.open_photo()])
        side_px = min(request.longest_side_px, _LARGEST_SIDE_PX)
        work = asyncio.get_running_loop().run_in_executor(self._threads, render, photo, request.style, side_px)
        try:
            picture = await work
        except UnreadablePhoto as error:
            raise ModelError(
                Reason.MODEL_REFUSED_INPUT,
                f"the photo cannot be read: {error}",
                retryable=False,
                billing=Billing.NOT_BILLED,
                facts=facts,
            ) from error
        return ModelResult(data=picture, media_type="image/png", facts=facts)
