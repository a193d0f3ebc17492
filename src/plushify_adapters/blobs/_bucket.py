"""Objects of an S3 bucket.

fsspec's common API is not enough here: it lists a whole folder at once, and has no arguments for the media type and the
name of a download.
"""

from collections.abc import Generator
from urllib.parse import quote

from fsspec import AbstractFileSystem

from plushify_adapters.blobs._objects import Objects, is_key
from plushify_core.ports import BlobEntry

KEYS_PER_PAGE = 1000
"""Largest page that S3 lists (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html)."""


class Bucket(Objects):
    """Objects of s3fs under `path`: a bucket and an optional prefix."""

    def __init__(self, fs: AbstractFileSystem, path: str) -> None:
        super().__init__(fs, path)
        self._s3 = fs
        self._name, root, _ = fs.split_path(path)
        self._root = f"{root}/" if root else ""

    def write(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store an object with its media type."""
        self._fs.pipe_file(key, data, ContentType=media_type)

    def create(self, key: str, data: bytes, *, media_type: str) -> bool:
        """Store an object unless there is one. Return whether it was stored."""
        if self._fs.exists(key):  # not every server that speaks S3 refuses a conditional write
            return False
        try:
            self._fs.pipe_file(key, data, mode="create", ContentType=media_type)
        except OSError:
            if self._fs.exists(key):  # s3fs has no exception of its own for a refused condition
                return False
            raise
        return True

    def entries(self, prefix: str) -> Generator[BlobEntry, None, None]:
        """Yield the objects whose keys begin with `prefix`. One page is in memory at a time."""
        next_page: dict[str, str] = {}
        while True:
            page = self._s3.call_s3(
                "list_objects_v2",
                Bucket=self._name,
                Prefix=self._root + prefix,
                MaxKeys=KEYS_PER_PAGE,
                **next_page,
            )
            for entry in page.get("Contents", []):
                key = entry["Key"].removeprefix(self._root)
                if is_key(key):  # the bucket may hold objects of other programs
                    yield BlobEntry(key=key, modified_at=entry["LastModified"])
            if not page.get("IsTruncated"):
                return
            next_page = {"ContinuationToken": page["NextContinuationToken"]}

    def sign(self, key: str, *, expires_s: int, download_name: str | None) -> str | None:
        """Return a signed URL that serves the object for `expires_s` seconds."""
        headers = {}
        if download_name is not None:
            # The form that allows any Unicode name (RFC 6266 section 4.1, RFC 8187).
            headers["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{quote(download_name, safe='')}"
        url: str = self._fs.sign(key, expiration=expires_s, **headers)
        return url
