"""Fixtures shared by the tests of the adapters."""

from collections.abc import Iterator

import pytest
import s3fs

from tests.adapters.blobs.seaweed import S3Server, s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """Yield an S3 server with a bucket."""
    with s3_server() as server:
        s3fs.S3FileSystem(**server.options).mkdir("bucket")
        yield server
