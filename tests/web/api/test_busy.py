"""Submissions to a server at its limit or during its shutdown."""

import pytest

from plushify_adapters.memory import MemoryBlobStore, MemoryImageModel
from plushify_core import Billing, ModelError, Reason
from plushify_web.container import Container
from plushify_web.settings import Settings
from tests.web.conftest import Client, balance, submit

pytestmark = pytest.mark.anyio

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def settings() -> Settings:
    """Return settings with room for one unfinished generation."""
    return Settings(max_in_flight=1, drain_s=0)


async def test_a_full_server_returns_retry_after(
    client: Client, stranger: Client, model: MemoryImageModel, container: Container
) -> None:
    """A submission beyond `max_in_flight` is RATE_LIMITED with `Retry-After`, is not charged, and stores nothing.

    A refused photo does not count towards the limit.
    """
    assert (await submit(stranger, b"no photo")).status_code == 415
    model.delay_s = 3600
    assert (await submit(client, headers=ASYNC)).status_code == 202
    blobs: MemoryBlobStore = container.blobs()
    stored = dict(blobs.blobs)

    response = await submit(stranger)

    problem = response.json()
    assert (response.status_code, problem["code"], problem["reason"]) == (429, "RATE_LIMITED", "server_busy")
    assert (problem["retryable"], problem["charged"]) == (True, False)
    assert int(response.headers["Retry-After"]) > 0
    assert await balance(stranger) == 3
    assert (await stranger.get("/api/generations")).json()["items"] == []
    assert blobs.blobs == stored


async def test_a_stopping_server_refuses_submissions(client: Client, container: Container) -> None:
    """During a shutdown, a submission is RATE_LIMITED with `Retry-After`, and is not charged."""
    container.plushify().runner.stop()
    response = await submit(client)
    assert (response.status_code, response.json()["reason"]) == (429, "server_busy")
    assert int(response.headers["Retry-After"]) > 0
    assert await balance(client) == 3


async def test_a_full_server_accepts_replays(client: Client, model: MemoryImageModel) -> None:
    """A full server accepts a replay, because its generation is already counted and paid for."""
    model.delay_s = 3600
    headers = {**ASYNC, "Idempotency-Key": "once"}
    first = await submit(client, headers=headers)
    again = await submit(client, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert await balance(client) == 2


async def test_a_user_with_too_many_failures_waits_until_midnight(
    client: Client, stranger: Client, model: MemoryImageModel
) -> None:
    """After too many billed failures of the day, a user gets 429 with `too_many_failures`. Other users are served."""
    for _ in range(20):
        model.fail_next(ModelError(Reason.CONTENT_POLICY, "SAFETY", retryable=False, billing=Billing.BILLED))
        assert (await submit(client)).status_code == 502

    response = await submit(client)

    problem = response.json()
    assert (response.status_code, problem["code"], problem["reason"]) == (429, "RATE_LIMITED", "too_many_failures")
    assert (problem["retryable"], problem["charged"]) == (True, False)
    assert 0 < int(response.headers["Retry-After"]) <= 24 * 60 * 60
    assert await balance(client) == 3
    assert (await submit(stranger)).status_code == 201
