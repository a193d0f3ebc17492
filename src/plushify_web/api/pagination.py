"""Query parameters of lists (keyset pagination)."""

from typing import Annotated
from uuid import UUID

from litestar.params import QueryParameter

from plushify_core import InvalidInput, Reason

Limit = Annotated[int, QueryParameter(description="Maximum number of items, 1 to 100.")]
Cursor = Annotated[str | None, QueryParameter(description="`nextCursor` of the previous page.")]


def parse_cursor(text: str | None) -> UUID | None:
    """Return the id after which the page begins; None for the first page.

    Raises:
        InvalidInput: `invalid_cursor`.
    """
    try:
        return UUID(text) if text else None
    except ValueError:
        raise InvalidInput(Reason.INVALID_CURSOR) from None
