"""Runtime of the commands: an event loop and a container, for the duration of one command."""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from plushify_web.cli.errors import WithoutExpectedTracebacks
from plushify_web.cli.terminal import fail

if TYPE_CHECKING:
    from plushify_core import User
    from plushify_web.container import Container

T = TypeVar("T")

Schema = Literal["migrate", "require", "ignore"]
"""Treatment of the schema of the database before a command runs.

`migrate` migrates it to the schema of this version. `require` creates the tables in an empty database, and refuses to
run the command on a schema that this version cannot use. `ignore` does nothing.
"""


def run(command: "Callable[[Container], Awaitable[T]]", *, schema: Schema = "require", uses_storage: bool = False) -> T:
    """Run `command` in an event loop and return its result.

    Args:
        command: function that gets the container.
        schema: treatment of the schema of the database first.
        uses_storage: whether to check first that the database and the storage belong together.
    """
    import asyncio

    async def run_with_container() -> T:
        async with _container(schema) as container:
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
async def _container(schema: Schema) -> "AsyncIterator[Container]":
    from plushify_web.container import Container
    from plushify_web.logs import configure_logging

    container = Container()
    configure_logging(container.settings().log)
    for handler in logging.root.handlers:
        handler.addFilter(WithoutExpectedTracebacks())
    async with container.closing():
        await _prepare(container, schema)
        yield container


async def _prepare(container: "Container", schema: Schema) -> None:
    migrations = container.migrations()
    match schema:
        case "migrate":
            await migrations.upgrade()
        case "require" if (await migrations.state()).is_empty:
            await migrations.upgrade()
        case "require":
            await migrations.check()


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
