"""Conditional requests (RFC 9110 section 13.1.2)."""

from typing import Any

from litestar import Request


def matches(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the client holds this representation already, so that 304 is answer enough."""
    known = request.headers.get("If-None-Match", "")
    return known.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in known.split(",")}
