"""Blob store over fsspec: in a local folder, an S3 bucket, or any other file system that fsspec supports."""

from plushify_adapters.blobs._store import FsspecBlobStore

__all__ = ["FsspecBlobStore"]
