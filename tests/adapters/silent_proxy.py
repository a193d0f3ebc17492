"""TCP proxy whose connections can go silent, as after a failover or behind a NAT that forgot its flows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import make_url


class SilentProxy:
    """Forwards TCP connections to a Unix socket, until they go silent: then they stay open, and nothing passes.

    Attributes:
        accepted: number of connections so far.
    """

    def __init__(self, target: str) -> None:
        self.accepted = 0
        self._target = target
        self._pass_new = True
        self._flows: list[_Flow] = []
        self._handlers: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """Port of 127.0.0.1 that the proxy listens at."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @asynccontextmanager
    async def running(self) -> AsyncIterator["SilentProxy"]:
        """Listen while the block is open, and cut all connections at its end."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        try:
            yield self
        finally:
            self._server.close()
            for flow in self._flows:
                flow.cut()
            await asyncio.gather(*self._handlers)

    def silence(self, *, new_too: bool = False) -> None:
        """Make the open connections silent for ever, and the new ones too if `new_too`."""
        for flow in self._flows:
            flow.passing = False
        self._pass_new = not new_too

    def silence_at(self, message: bytes) -> None:
        """Make a connection silent as soon as a client sends `message` over it. The server still gets the message."""
        for flow in self._flows:
            flow.last_message = message

    def recover(self) -> None:
        """Let new connections pass. The silent ones stay silent."""
        self._pass_new = True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.append(handler)
        flow = _Flow(writer, passing=self._pass_new)
        self._flows.append(flow)
        server_reader, flow.server = await asyncio.open_unix_connection(self._target)
        with suppress(OSError):
            await asyncio.gather(flow.forward_requests(reader), flow.forward_answers(server_reader))


class _Flow:
    def __init__(self, client: asyncio.StreamWriter, *, passing: bool) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.passing = passing
        self.last_message: bytes | None = None

    async def forward_requests(self, reader: asyncio.StreamReader) -> None:
        assert self.server is not None
        while data := await reader.read(65_536):
            if self.passing:
                self.server.write(data)
                if self.last_message is not None and self.last_message in data:
                    self.passing = False
        if self.passing:  # a silent connection also hides that its client has gone
            self.server.close()

    async def forward_answers(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65_536):
            if self.passing:
                self.client.write(data)
        if self.passing:
            self.client.close()

    def cut(self) -> None:
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()


@asynccontextmanager
async def silent_proxy(database_url: str) -> AsyncIterator[tuple[SilentProxy, str]]:
    """Run a proxy before a database of `PostgresServer`, and yield it with the URL of the database behind it."""
    url = make_url(database_url)
    async with SilentProxy(f"{url.query['host']}/.s.PGSQL.5432").running() as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port, query={"ssl": "disable"})
        yield proxy, through.render_as_string(hide_password=False)
