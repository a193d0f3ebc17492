"""Models of the emulator, and the answers of the models API that describe them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

# Width and height that Gemini's image models return for each aspect ratio at 1K, in pixels.
# Source: https://openrouter.ai/docs/guides/overview/multimodal/image-generation
ASPECT_RATIOS: dict[str, tuple[int, int]] = {
    "1:1": (1024, 1024),
    "2:3": (832, 1248),
    "3:2": (1248, 832),
    "3:4": (864, 1184),
    "4:3": (1184, 864),
    "4:5": (896, 1152),
    "5:4": (1152, 896),
    "9:16": (768, 1344),
    "16:9": (1344, 768),
    "21:9": (1536, 672),
}
RESOLUTION_SCALE: dict[str, float] = {"512": 0.5, "1K": 1, "2K": 2, "4K": 4}


class EmulatedModel(msgspec.Struct, frozen=True):
    """One model of the model list."""

    id: str
    name: str
    provider: str
    output_modalities: tuple[str, ...] = ("image", "text")
    resolutions: tuple[str, ...] = ("1K",)
    expiration_date: str | None = None

    @property
    def image_only(self) -> bool:
        """Whether the model outputs pictures only; OpenRouter answers a request for its text with 404."""
        return "text" not in self.output_modalities


_TODAY = datetime.now(UTC).date()
_IMAGE_ONLY = ("image",)
MODELS: dict[str, EmulatedModel] = {
    model.id: model
    for model in (
        EmulatedModel(
            "google/gemini-2.5-flash-image",
            "Google: Gemini 2.5 Flash Image",
            "Google",
            expiration_date="2027-03-15",
        ),
        EmulatedModel(
            "google/gemini-3.1-flash-image",
            "Google: Gemini 3.1 Flash Image",
            "Google",
            resolutions=("512", "1K", "2K", "4K"),
        ),
        EmulatedModel(
            "google/gemini-3-pro-image",
            "Google: Gemini 3 Pro Image",
            "Google",
            resolutions=("1K", "2K", "4K"),
        ),
        EmulatedModel("openai/gpt-5-image", "OpenAI: GPT-5 Image", "OpenAI"),
        EmulatedModel(
            "black-forest-labs/flux.2-pro",
            "Black Forest Labs: FLUX.2 Pro",
            "Black Forest Labs",
            output_modalities=_IMAGE_ONLY,
            resolutions=("1K", "2K"),
        ),
        EmulatedModel(
            "bytedance-seed/seedream-4.5",
            "ByteDance Seed: Seedream 4.5",
            "Seed",
            output_modalities=_IMAGE_ONLY,
            resolutions=("2K", "4K"),
        ),
        EmulatedModel(
            "emulator/retired-image",
            "Emulator: a model past its last day",
            "Google",
            expiration_date="2025-01-31",
        ),
        EmulatedModel(
            "emulator/retiring-image",
            "Emulator: a model that ends in a month",
            "Google",
            expiration_date=(_TODAY + timedelta(days=30)).isoformat(),
        ),
        EmulatedModel(
            "emulator/lasting-image",
            "Emulator: a model that ends in a year",
            "Google",
            expiration_date=(_TODAY + timedelta(days=365)).isoformat(),
        ),
    )
}


def picture_size(aspect_ratio: str, resolution: str) -> tuple[int, int]:
    """Return the width and height of the picture that a model returns, in pixels."""
    width, height = ASPECT_RATIOS[aspect_ratio]
    scale = RESOLUTION_SCALE[resolution]
    return round(width * scale), round(height * scale)


def model_entry(model: EmulatedModel) -> dict[str, Any]:
    """Return the entry of a model in `GET /models`."""
    return {
        "id": model.id,
        "canonical_slug": model.id,
        "name": model.name,
        "created": 1763838012,
        "description": "Emulated.",
        "context_length": 32768,
        "architecture": {
            "modality": f"text+image->{'+'.join(model.output_modalities)}",
            "input_modalities": ["image", "text"],
            "output_modalities": list(model.output_modalities),
        },
        "pricing": {"prompt": "0.0000003", "completion": "0.0000025", "image_output": "0.00003"},
        "top_provider": {"is_moderated": False, "context_length": 32768, "max_completion_tokens": 8192},
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "seed", "temperature"],
        "supported_voices": None,
        "default_parameters": None,
        "links": {"details": f"/api/v1/models/{model.id}/endpoints"},
        "expiration_date": model.expiration_date,
    }


def model_list(output_modalities: str | None) -> dict[str, Any]:
    """Return the JSON of `GET /models`: models with any of these output modalities, by default those with text."""
    wanted = set((output_modalities or "text").split(","))
    data = [model_entry(model) for model in MODELS.values() if "all" in wanted or wanted & set(model.output_modalities)]
    return {"data": data, "links": {"next": None}, "total_count": len(data)}


def image_endpoints(model: EmulatedModel) -> dict[str, Any]:
    """Return the JSON of `GET /images/models/{author}/{slug}/endpoints`: what each provider of a model supports."""
    return {
        "id": model.id,
        "endpoints": [
            {
                "provider_name": model.provider,
                "provider_slug": model.provider.lower().replace(" ", "-"),
                "provider_tag": None,
                "supports_streaming": False,
                "allowed_passthrough_parameters": [],
                "pricing": [{"billable": "output_image", "unit": "image", "cost_usd": 0.039}],
                "supported_parameters": {
                    "aspect_ratio": {"type": "enum", "values": list(ASPECT_RATIOS)},
                    "resolution": {"type": "enum", "values": list(model.resolutions)},
                    "n": {"type": "range", "min": 1, "max": 1},
                },
            }
        ],
    }
