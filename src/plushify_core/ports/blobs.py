"""Where bytes are kept."""

import re
from collections.abc import AsyncIterator
from typing import Protocol

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)


def check_key(key: str) -> None:
    """Refuse what is no key of a blob: adapters call it first, so that no key leaves the store's folder.

    Raises:
        ValueError: `key` is not as `BlobStore` describes keys.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a key of a blob: {key!r}")


class BlobStore(Protocol):
    """Keeps bytes under keys: `/`-separated names of ASCII letters, digits, `-`, `_` and, but not first, `.`.

    Anything the technology raises other than `BlobMissing` means "not now"; the use cases settle it.
    """

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store `data`, in place of what was there. Readers see all of it or nothing. When this has ended, by
        return, exception or cancellation, it writes nothing any more."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in chunks.

        Raises:
            BlobMissing: at the first step of the iteration.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove the blob. It is no error if there is none."""
        ...

    def keys(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin with `prefix`, in any order, without holding all of them in memory where the
        technology can."""
        ...

    async def url(self, key: str, *, expires_s: int, download_name: str | None = None) -> str | None:
        """An address that serves the blob to anyone for `expires_s` seconds, as a download of that name if
        one is given; None where the technology cannot sign one."""
        ...
