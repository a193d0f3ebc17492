"""Runtime of the commands: an event loop and a container, for the duration of one command."""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from plushify_web.cli.errors import WithoutExpectedTracebacks
from plushify_web.cli.terminal import fail

if TYPE_CHECKING:
    from plushify_core import User
    from plushify_web.container import Container

T = TypeVar("T")


def run(command: "Callable[[Container], Awaitable[T]]", *, migrate: bool = True, uses_storage: bool = False) -> T:
    """Run `command` in an event loop and return its result.

    Args:
        command: function that gets the container.
        migrate: whether to migrate the database to the schema of this version first.
        uses_storage: whether to check first that the database and the storage belong together.
    """
    import asyncio

    async def run_with_container() -> T:
        async with _container(migrate=migrate) as container:
            if uses_storage:
                from plushify_web.preflight import check_installation

                await check_installation(container.installation())
            return await command(container)

    try:
        return asyncio.run(run_with_container())
    except KeyboardInterrupt:
        # It would log the errors of the connections that were interrupted.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        fail("Interrupted.", 130)


@contextlib.asynccontextmanager
async def _container(*, migrate: bool) -> "AsyncIterator[Container]":
    from plushify_web.container import Container
    from plushify_web.logs import configure_logging

    container = Container()
    configure_logging(container.settings().log)
    for handler in logging.root.handlers:
        handler.addFilter(WithoutExpectedTracebacks())
    async with container.closing():
        if migrate:
            await container.migrations().upgrade()
        yield container


async def find_account(container: "Container", email: str) -> "User":
    """Return the account with this email address.

    Raises:
        NotFound: there is no such account.
    """
    from plushify_core import NotFound

    user = await container.accounts().find(email)
    if user is None:
        raise NotFound(message=f"There is no account {email}.")
    return user
