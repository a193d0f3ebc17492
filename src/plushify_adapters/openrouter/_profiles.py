"""Built-in profiles of image models, used when the models API cannot be reached."""

import msgspec

# Side of a square picture in pixels, by OpenRouter's name of the resolution.
SIDE_PX = {"512": 512, "768": 768, "1K": 1024, "1.5K": 1536, "2K": 2048, "4K": 4096}


class ModelProfile(msgspec.Struct, frozen=True):
    """Resolutions of a model, and whether it outputs pictures only (`image_only`) or text as well.

    `cost_nano_usd` is the highest price of a call; None if OpenRouter tells no price per picture.
    """

    title: str
    resolutions: tuple[str, ...] = ("1K",)
    image_only: bool = False
    cost_nano_usd: int | None = None

    @property
    def largest_side_px(self) -> int:
        """Side of the largest square picture, in pixels."""
        return max(SIDE_PX[resolution] for resolution in self.resolutions)

    def resolution_for(self, longest_side_px: int) -> str | None:
        """Return the smallest resolution with at least this many pixels a side, or else the largest one.

        Returns None for a model whose only resolution is 1K, which needs no request parameter.
        """
        if self.resolutions == ("1K",):
            return None
        by_size = sorted(self.resolutions, key=SIDE_PX.__getitem__)
        return next((name for name in by_size if SIDE_PX[name] >= longest_side_px), by_size[-1])


# As of August 2026.
BUILT_IN_PROFILES: dict[str, ModelProfile] = {
    "google/gemini-2.5-flash-image": ModelProfile("Google: Gemini 2.5 Flash Image"),
    "google/gemini-3.1-flash-image": ModelProfile("Google: Gemini 3.1 Flash Image", ("512", "1K", "2K", "4K")),
    "google/gemini-3-pro-image": ModelProfile("Google: Gemini 3 Pro Image", ("1K", "2K", "4K")),
    "openai/gpt-5-image": ModelProfile("OpenAI: GPT-5 Image"),
    "black-forest-labs/flux.2-pro": ModelProfile("Black Forest Labs: FLUX.2 Pro", image_only=True),
    "bytedance-seed/seedream-4.5": ModelProfile("ByteDance Seed: Seedream 4.5", ("2K", "4K"), image_only=True),
}
