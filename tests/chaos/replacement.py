"""Replacement of the servers of one release by those of another one, under load."""

import asyncio
import re
from collections.abc import Sequence

import httpx

from tests.chaos.plan import Plan
from tests.chaos.releases import Release
from tests.chaos.replica import Replica
from tests.chaos.site import Site
from tests.chaos.storm import Storm

ANSWERS = [
    {"scenario": "content_policy" if number % 8 == 7 else "ok", "latency_s": 0.2 + number % 5 * 0.2}
    for number in range(1000)
]
READINESS_POLL_S = 0.2

MADE = re.compile(r'POST /api/generations"? 201')
"""Line in the log of a replica about a picture that it delivered."""


class Replacement(Storm):
    """Users who submit photos while the server of one release takes over from that of another one.

    1. Only the first server runs, until it has delivered `pictures` pictures.
    2. The second one starts beside it, and both run until each has delivered as many again.
    3. The first one shuts down, and the second one delivers as many again.

    Args:
        site: the installation, empty.
        first, second: releases of the servers.
        pictures: number of pictures per step and server.

    Attributes:
        problems: as in `Storm`; among them each moment at which a running server was not ready.
    """

    def __init__(self, site: Site, first: Release, second: Release, *, pictures: int) -> None:
        replicas = [
            Replica(release.name, release.environment(site.environment), site.folder) for release in (first, second)
        ]
        super().__init__(Plan(seed=0, generations=0, users=4), site, replicas)
        self._pictures = pictures

    async def run(self) -> None:
        """Carry out the three steps, and wait until everything has settled."""
        self.site.model.script(ANSWERS)
        first, second = self.replicas
        await first.start()
        async with asyncio.timeout(240), asyncio.TaskGroup() as group:
            for number, user in enumerate(self.users):
                group.create_task(self._use_service(number, user))
            watching = group.create_task(self._watch_readiness())
            await self._wait_for_pictures([first])
            await second.start()
            await self._wait_for_pictures([first, second])
            if code := await first.stop():
                self.problems.append(f"a graceful shutdown ended with exit code {code}: {first.log}")
            await self._wait_for_pictures([second])
            self._faults_done.set()
            watching.cancel()
        await self._wait_until_settled()

    async def aclose(self) -> None:
        """End the servers that were started, and close all connections."""
        self.replicas = [replica for replica in self.replicas if replica.log.exists()]
        await super().aclose()

    async def _wait_for_pictures(self, replicas: Sequence[Replica]) -> None:
        """Wait until each of these servers has delivered its number of pictures from now on."""
        for replica, goal in [(replica, _pictures(replica) + self._pictures) for replica in replicas]:
            while _pictures(replica) < goal:  # noqa: ASYNC110 - the pictures are counted in a file
                await asyncio.sleep(READINESS_POLL_S)

    async def _watch_readiness(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            while True:
                for replica in self.replicas:
                    if replica.up.is_set():
                        await self._check_readiness(client, replica)
                await asyncio.sleep(READINESS_POLL_S)

    async def _check_readiness(self, client: httpx.AsyncClient, replica: Replica) -> None:
        try:
            status: object = (await client.get(f"{replica.url}/health/ready")).status_code
        except httpx.TransportError as error:
            status = repr(error)
        if status != 200 and replica.up.is_set():  # otherwise it is being shut down
            self.problems.append(f"a running server was not ready: {status}: {replica.log}")


def _pictures(replica: Replica) -> int:
    return len(MADE.findall(replica.log.read_text()))
