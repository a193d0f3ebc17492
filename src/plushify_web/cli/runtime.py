"""What the commands work with: everything wired, for as long as one takes."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from plushify_web.cli.terminal import fail

if TYPE_CHECKING:
    from plushify_core import User
    from plushify_web.container import Container

T = TypeVar("T")


def run(work: "Callable[[Container], Awaitable[T]]", *, migrated: bool = True) -> T:
    """What `work` makes of everything wired.

    Args:
        migrated: bring the database to the tables of this version first.
    """
    import asyncio

    async def wired() -> T:
        async with _container(migrated=migrated) as container:
            return await work(container)

    try:
        return asyncio.run(wired())
    except KeyboardInterrupt:
        fail("Interrupted.", 130)


@contextlib.asynccontextmanager
async def _container(*, migrated: bool) -> "AsyncIterator[Container]":
    from plushify_web.container import Container
    from plushify_web.logs import configure_logging

    container = Container()
    configure_logging(container.settings().log)
    async with container.closing():
        if migrated:
            await container.migrations().upgrade()
        yield container


async def account(container: "Container", email: str) -> "User":
    """The account with this address.

    Raises:
        NotFound: there is none.
    """
    from plushify_core import NotFound

    user = await container.accounts().find(email)
    if user is None:
        raise NotFound(message=f"There is no account {email}.")
    return user
