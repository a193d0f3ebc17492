"""Cost and token counts that an answer reports, read apart from its pictures."""

import re
from decimal import Decimal
from typing import Any

import msgspec

from plushify_adapters.openrouter._json import as_count, as_object, walk

_MAX_COST_USD = 1_000
_COST_KEYS = ("cost", "total_cost", "totalCost", "cost_usd")
_AMOUNT_KEYS = (*_COST_KEYS, "total", "amount", "value", "number", "price", "credits", "usd", "USD")
_MAX_NESTING = 8
_CURRENCY = r"[\s\"']*(?:us\$|\$|usd|credits?)?[\s\"']*"
_AMOUNT = re.compile(
    _CURRENCY + r"\+?(\d{1,9}(?:\.\d{0,30})?|\.\d{1,30})((?:e[-+]?\d{1,3})?)" + _CURRENCY, re.IGNORECASE | re.ASCII
)
_TRUE = (True, "true", "True")


class Usage(msgspec.Struct, frozen=True):
    """Usage that an answer reports.

    Attributes:
        cost_nano_usd: Total cost in nano-dollars, or None if it is unknown.
        charged: Whether the answer reports a cost other than 0, even one that cannot be read.
        prompt_tokens: Number of tokens in the request.
        completion_tokens: Number of tokens in the answer.
    """

    cost_nano_usd: int | None = None
    charged: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


def read_usage(body: dict[str, Any]) -> Usage:
    """Return the usage that a body reports anywhere. The outermost one with a cost has precedence.

    If the account uses its own provider key (BYOK), `cost` is only OpenRouter's fee, often 0, and the provider's
    price is added.
    """
    usage = _find_usage(body)
    reported = [_cost_of(usage)]
    if usage.get("is_byok") in _TRUE:
        reported.append(as_object(usage.get("cost_details")).get("upstream_inference_cost"))
    amounts = [_nano_usd(amount) for amount in reported]
    known = [amount for amount in amounts if amount is not None]
    return Usage(
        cost_nano_usd=sum(known) if len(known) == len(amounts) else None,
        charged=any(value is not None and amount != 0 for value, amount in zip(reported, amounts, strict=True)),
        prompt_tokens=as_count(usage.get("prompt_tokens")),
        completion_tokens=as_count(usage.get("completion_tokens")),
    )


def _find_usage(body: dict[str, Any]) -> dict[str, Any]:
    usage = body.get("usage")
    if isinstance(usage, dict) and _cost_of(usage) is not None:  # almost every answer
        return usage
    usages = [usage for key, value in walk(body) if key == "usage" and (usage := as_object(value))]
    for usage in usages:
        if _cost_of(usage) is not None:
            return usage
    usage = usages[0] if usages else {}
    cost = next((value for key, value in walk(body) if key in _COST_KEYS and value is not None), None)
    return usage if cost is None else usage | {"cost": cost}


def _cost_of(usage: dict[str, Any]) -> Any:
    """Return the cost of a usage, one that can be read if there are several."""
    costs = [usage[key] for key in _COST_KEYS if usage.get(key) is not None]
    return next((cost for cost in costs if _nano_usd(cost) is not None), costs[0] if costs else None)


def _nano_usd(value: Any, nesting: int = 0) -> int | None:
    """Return an amount in nano-dollars: a number, a string such as `$0.039`, or an object with one of these.

    Returns None if there is no plausible amount.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value * 1e9) if 0 <= value <= _MAX_COST_USD else None
    if isinstance(value, str) and (match := _AMOUNT.fullmatch(value)):
        usd = Decimal(match[1] + match[2])
        return round(usd * 10**9) if usd <= _MAX_COST_USD else None
    if isinstance(value, dict) and nesting < _MAX_NESTING:
        return _nano_usd([value[key] for key in _AMOUNT_KEYS if value.get(key) is not None][:1], nesting + 1)
    if isinstance(value, list) and nesting < _MAX_NESTING:
        amounts = [amount for amount in value if amount is not None]
        return _nano_usd(amounts[0], nesting + 1) if len(amounts) == 1 else None
    return None
