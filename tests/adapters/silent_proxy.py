"""TCP proxy whose connections can go silent, as after a failover or behind a NAT that forgot its flows."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

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


class ThreadedProxy:
    """Proxy that runs in a thread of its own, for tests whose event loop starts later or is busy."""

    def __init__(self, proxy: SilentProxy, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self._proxy = proxy
        self._loop = loop

    def silence(self, *, new_too: bool = False) -> None:
        """Make the open connections silent for ever, and the new ones too if `new_too`."""
        self._call(lambda: self._proxy.silence(new_too=new_too))

    def recover(self) -> None:
        """Let new connections pass. The silent ones stay silent."""
        self._call(self._proxy.recover)

    def _call(self, work: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(work)


@contextmanager
def threaded_silent_proxy(database_url: str) -> Iterator[ThreadedProxy]:
    """Run a proxy before a database of `PostgresServer` in a thread, until the block ends."""
    started, stopping = threading.Event(), asyncio.Event()
    running: list[ThreadedProxy] = []

    async def run() -> None:
        async with silent_proxy(database_url) as (proxy, url):
            running.append(ThreadedProxy(proxy, url, asyncio.get_running_loop()))
            started.set()
            await stopping.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert started.wait(30)
    try:
        yield running[0]
    finally:
        running[0]._call(stopping.set)
        thread.join()
