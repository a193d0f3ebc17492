"""Blobs in a folder, or wherever else fsspec can put them."""

from plushify_adapters.blobs.store import FsspecBlobStore

__all__ = ["FsspecBlobStore"]
