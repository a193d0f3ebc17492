"""Answers about the account: limit of the key, and cost of a generation."""

from datetime import UTC, datetime
from typing import Any, Literal

_NULL_FIELDS = (
    "app_id",
    "cache_discount",
    "external_user",
    "http_referer",
    "moderation_latency",
    "native_tokens_cached",
    "native_tokens_completion",
    "native_tokens_completion_images",
    "native_tokens_prompt",
    "native_tokens_reasoning",
    "num_fetches",
    "num_input_audio_prompt",
    "num_media_completion",
    "num_media_prompt",
    "num_search_results",
    "preset_id",
    "provider_responses",
    "router",
    "service_tier",
    "tokens_completion",
    "tokens_prompt",
    "upstream_id",
    "upstream_inference_cost",
    "user_agent",
    "web_search_engine",
    "workspace_id",
)


def key_details(limit: float | None, usage: float) -> dict[str, Any]:
    """Return the JSON of `GET /key`, with the limit and the usage of the key in dollars."""
    used = dict.fromkeys(("usage", "usage_daily", "usage_weekly", "usage_monthly"), usage)
    byok = dict.fromkeys(("byok_usage", "byok_usage_daily", "byok_usage_weekly", "byok_usage_monthly"), 0)
    return {
        "data": {
            "label": "sk-or-v1-emu...lated",
            "limit": limit,
            "limit_remaining": None if limit is None else round(limit - usage, 6),
            "limit_reset": None,
            **used,
            **byok,
            "include_byok_in_limit": False,
            "is_free_tier": False,
            "is_management_key": False,
            "is_provisioning_key": False,
            "creator_user_id": None,
            "organization_id": None,
            "workspace_id": None,
            "allowed_data_regions": ["global"],
            "budgets": [],
            "effective_budget": None,
            "free_model_daily_requests": {"limit": 50, "remaining": 50, "used": 0},
            "rate_limit": {"requests": -1, "interval": "10s", "note": "This field is deprecated."},
        }
    }


def generation_details(
    generation_id: str,
    *,
    api_type: Literal["completions", "image"],
    model: str,
    provider: str,
    cost_usd: float,
    native_finish_reason: str | None,
    cancelled: bool,
    latency_ms: int,
) -> dict[str, Any]:
    """Return the JSON of `GET /generation`: cost and timing of a call. OpenRouter sends most fields as null."""
    return {
        "data": {
            **dict.fromkeys(_NULL_FIELDS),
            "id": generation_id,
            "api_type": api_type,
            "created_at": datetime.now(UTC).isoformat(),
            "data_region": "global",
            "model": model,
            "provider_name": provider,
            "origin": "https://openrouter.ai/",
            "total_cost": cost_usd,
            "usage": cost_usd,
            "cancelled": cancelled,
            "finish_reason": None if cancelled else "stop",
            "native_finish_reason": native_finish_reason,
            "generation_time": latency_ms,
            "latency": latency_ms,
            "is_byok": False,
            "streamed": False,
        }
    }
