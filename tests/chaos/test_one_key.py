"""Concurrent requests with the same idempotency key at two replicas."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos.bill import read_bill
from tests.chaos.cluster import cluster
from tests.chaos.plan import Plan
from tests.chaos.site import Site
from tests.chaos.storm import Storm
from tests.chaos.user import ATTEMPTS, PAUSE_S, photo, request_options
from tests.emulators.openrouter.answers import COST_USD

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("chaos")]

FREE_CREDITS = 5
TIMES = 50


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Cluster without replicas."""
    with cluster(tmp_path, free_credits=FREE_CREDITS) as site:
        yield site


@pytest.fixture
async def storm(site: Site) -> AsyncIterator[Storm]:
    """Two replicas at the cluster, and one user with an account."""
    storm = Storm(Plan(seed=0, users=1), site)
    try:
        for replica in storm.replicas:
            await replica.start()
        await storm.users[0].sign_up()
        yield storm
    finally:
        await storm.aclose()


async def test_one_key_at_two_replicas_gives_one_generation_one_charge_and_one_call(site: Site, storm: Storm) -> None:
    """Fifty concurrent requests at each of two replicas make one picture, and all hundred responses return it."""
    (user,) = storm.users
    request = request_options(photo(0, 0), "kawaii", "standard", "the-one-key")
    site.model.script([{"scenario": "ok", "latency_s": 2}])

    async def send(client: httpx.AsyncClient, url: str) -> tuple[int, str]:
        for _ in range(ATTEMPTS):
            response = await client.post(f"{url}/api/generations", **request)
            if response.status_code != 429:  # the process is full
                break
            await asyncio.sleep(PAUSE_S)
        return response.status_code, response.json().get("id")

    async with user.another_client() as client:
        urls = [replica.url for replica in storm.replicas for _ in range(TIMES)]
        responses = await asyncio.gather(*(send(client, url) for url in urls))

    assert [status for status, _ in responses] == [201] * 2 * TIMES
    assert len(Counter(responses)) == 1
    assert await user.balance() == FREE_CREDITS - 1
    assert [entry["amount"] for entry in await user.entries()] == [-1, FREE_CREDITS]
    assert [call.cost_usd for call in read_bill(site.model)] == [COST_USD]
