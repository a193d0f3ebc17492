"""What is known of image models without asking."""

import msgspec

# The side of a square picture of the resolution that OpenRouter calls so, in pixels.
SIDE_PX = {"512": 512, "768": 768, "1K": 1024, "1.5K": 1536, "2K": 2048, "4K": 4096}


class ModelProfile(msgspec.Struct, frozen=True):
    """What a model can do: its resolutions, and whether it has text to give beside the picture."""

    title: str
    resolutions: tuple[str, ...] = ("1K",)
    image_only: bool = False

    @property
    def largest_side_px(self) -> int:
        """The longest side of the largest square picture, in pixels."""
        return max(SIDE_PX[resolution] for resolution in self.resolutions)

    def resolution_for(self, longest_side_px: int) -> str | None:
        """The smallest resolution that has this many pixels, else the largest; None where there is no choice but 1K."""
        if self.resolutions == ("1K",):
            return None
        by_size = sorted(self.resolutions, key=SIDE_PX.__getitem__)
        return next((name for name in by_size if SIDE_PX[name] >= longest_side_px), by_size[-1])


# Known in August 2026, for when the catalogue cannot be reached.
KNOWN: dict[str, ModelProfile] = {
    "google/gemini-2.5-flash-image": ModelProfile("Google: Gemini 2.5 Flash Image"),
    "google/gemini-3.1-flash-image": ModelProfile("Google: Gemini 3.1 Flash Image", ("512", "1K", "2K", "4K")),
    "google/gemini-3-pro-image": ModelProfile("Google: Gemini 3 Pro Image", ("1K", "2K", "4K")),
    "openai/gpt-5-image": ModelProfile("OpenAI: GPT-5 Image"),
    "black-forest-labs/flux.2-pro": ModelProfile("Black Forest Labs: FLUX.2 Pro", image_only=True),
    "bytedance-seed/seedream-4.5": ModelProfile("ByteDance Seed: Seedream 4.5", ("2K", "4K"), image_only=True),
}
