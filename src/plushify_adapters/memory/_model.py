"""Image model that inverts the colours of the photo."""

import asyncio
from collections import deque

from plushify_adapters.memory._ppm import MEDIA_TYPE, Ppm, read_header
from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing, ModelFacts
from plushify_core.ports import Capabilities, ImageModel, ModelError, ModelRequest, ModelResult

_INVERTED = bytes(255 - value for value in range(256))


class MemoryImageModel(ImageModel):
    """Image model that draws the negative of a PPM photo in the requested size.

    Tests can read the requests of all calls from `requests`, and make calls fail with `fail_next`.

    Args:
        largest_side_px: longest side of a picture, in px.
        delay_s: time that each call takes, in seconds.
        cost_nano_usd: cost of each picture, in nano-dollars.
    """

    def __init__(self, *, largest_side_px: int = 2048, delay_s: float = 0, cost_nano_usd: int = 39_000_000) -> None:
        self.requests: list[ModelRequest] = []
        self.delay_s = delay_s
        self._cost_nano_usd = cost_nano_usd
        self._errors: deque[Exception] = deque()
        self._capabilities = Capabilities(
            name="plushify/negative", title="Negative (in memory)", largest_side_px=largest_side_px, preview=True
        )

    def fail_next(self, *errors: Exception) -> None:
        """Make the next calls raise these errors, one each."""
        self._errors.extend(errors)

    async def capabilities(self) -> Capabilities:
        return self._capabilities

    async def generate(self, request: ModelRequest) -> ModelResult:
        self.requests.append(request)
        data = b"".join([chunk async for chunk in request.open_photo()])
        await asyncio.sleep(self.delay_s)
        if self._errors:
            raise self._errors.popleft()
        header = read_header(data)
        if header is None:
            raise ModelError(
                Reason.MODEL_REFUSED_INPUT, "the photo is no PPM", retryable=False, billing=Billing.NOT_BILLED
            )
        width, height, start = header
        photo = Ppm(width=width, height=height, pixels=data[start:].translate(_INVERTED))
        side = min(request.longest_side_px, self._capabilities.largest_side_px)
        return ModelResult(
            data=photo.fitted(side).encode(),
            media_type=MEDIA_TYPE,
            facts=ModelFacts(model=self._capabilities.name, provider="memory", cost_nano_usd=self._cost_nano_usd),
        )
