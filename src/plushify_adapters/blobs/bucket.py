"""Blobs as the objects of an S3 bucket, where fsspec's common API is not enough.

Its listing holds every object of a folder at once, and it has no names for a media type and a download's name.
"""

from collections.abc import Generator
from urllib.parse import quote

from fsspec import AbstractFileSystem

from plushify_adapters.blobs.objects import Objects, is_key

KEYS_PER_PAGE = 1000
"""The most that S3 lists in one answer (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html)."""


class Bucket(Objects):
    """Objects under `path`, a bucket and perhaps a prefix, of s3fs."""

    def __init__(self, fs: AbstractFileSystem, path: str) -> None:
        super().__init__(fs, path)
        self._s3 = fs
        self._name, root, _ = fs.split_path(path)
        self._root = f"{root}/" if root else ""

    def write(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store an object."""
        self._fs.pipe_file(key, data, ContentType=media_type)

    def keys(self, prefix: str) -> Generator[str, None, None]:
        """The keys that begin with `prefix`, a page at a time."""
        position: dict[str, str] = {}
        while True:
            page = self._s3.call_s3(
                "list_objects_v2",
                Bucket=self._name,
                Prefix=self._root + prefix,
                MaxKeys=KEYS_PER_PAGE,
                **position,
            )
            for entry in page.get("Contents", []):
                key = entry["Key"].removeprefix(self._root)
                if is_key(key):  # others may have put something there, or made a folder
                    yield key
            if not page.get("IsTruncated"):
                return
            position = {"ContinuationToken": page["NextContinuationToken"]}

    def sign(self, key: str, *, expires_s: int, download_name: str | None) -> str | None:
        """An address that serves the object for a time."""
        headers = {}
        if download_name is not None:
            # The form for any name (RFC 6266 section 4.1, RFC 8187).
            headers["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{quote(download_name, safe='')}"
        url: str = self._fs.sign(key, expiration=expires_s, **headers)
        return url
