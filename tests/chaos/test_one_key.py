"""One idempotency key, at two replicas, many times at once."""

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
from tests.chaos.visitor import ATTEMPTS, PAUSE_S, photo, submission
from tests.emulators.openrouter.answers import COST_USD

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("chaos")]

FREE_CREDITS = 5
TIMES = 50


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A place to run."""
    with cluster(tmp_path, free_credits=FREE_CREDITS) as site:
        yield site


@pytest.fixture
async def storm(site: Site) -> AsyncIterator[Storm]:
    """Two replicas there, and one user who is signed up."""
    storm = Storm(Plan(seed=0, users=1), site)
    try:
        for replica in storm.replicas:
            await replica.start()
        await storm.visitors[0].sign_up()
        yield storm
    finally:
        await storm.aclose()


async def test_one_key_at_two_replicas_is_one_generation_one_charge_and_one_call(site: Site, storm: Storm) -> None:
    """A request that arrives fifty times at each of two replicas at once is carried out once, and every one of the
    hundred is answered with the same picture."""
    (visitor,) = storm.visitors
    request = submission(photo(0, 0), "kawaii", "standard", "the-one-key")
    site.model.script([{"scenario": "ok", "latency_s": 2}])

    async def send(client: httpx.AsyncClient, url: str) -> tuple[int, str]:
        for _ in range(ATTEMPTS):
            answer = await client.post(f"{url}/api/generations", **request)
            if answer.status_code != 429:  # a burst is more than a process takes in at once
                break
            await asyncio.sleep(PAUSE_S)
        return answer.status_code, answer.json().get("id")

    async with visitor.another_tab() as client:
        answers = await asyncio.gather(*(send(client, replica.url) for replica in storm.replicas for _ in range(TIMES)))

    assert [status for status, _ in answers] == [201] * 2 * TIMES
    assert len(Counter(answers)) == 1
    assert await visitor.balance() == FREE_CREDITS - 1
    assert [entry["amount"] for entry in await visitor.entries()] == [-1, FREE_CREDITS]
    assert [call.cost_usd for call in read_bill(site.model)] == [COST_USD]
