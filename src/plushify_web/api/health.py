"""Health endpoints: liveness and readiness of the process."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from litestar import Controller, Response, get
from litestar.di import NamedDependency

from plushify_core import Code, Reason
from plushify_core.ports import Capabilities
from plushify_core.worker.time_limits import abandon
from plushify_web.api.problems import Problem, problem_response, problem_responses

log = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 5.0
"""Time limit of each check, in seconds. It holds even if the dependency ignores the cancellation of its check."""

Check = Callable[[], Awaitable[object]]
"""Raises an exception if the dependency that it checks is unavailable."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadinessChecks:
    """Checks of the dependencies that the process cannot work without.

    Args:
        checks: the checks by the names of their dependencies.
    """

    checks: Mapping[str, Check]
    _running: dict[str, asyncio.Task[object]] = field(init=False, default_factory=dict)

    async def unavailable(self) -> list[str]:
        """Run all checks, and return the names of the unavailable dependencies.

        The causes are only logged, because they may contain hosts and paths.
        """
        results = await asyncio.gather(*(self._is_available(name) for name in self.checks))
        return [name for name, available in zip(self.checks, results, strict=True) if not available]

    async def _is_available(self, name: str) -> bool:
        check = self._start(name)
        await asyncio.wait({check}, timeout=CHECK_TIMEOUT_S)
        if not check.done():
            abandon(check)
            log.error("not ready: the %s: no answer within %g s", name, CHECK_TIMEOUT_S)
        elif check.cancelled() or check.exception() is not None:
            log.error("not ready: the %s", name, exc_info=None if check.cancelled() else check.exception())
        else:
            return True
        return False

    def _start(self, name: str) -> asyncio.Task[object]:
        """Start the check, or return the one that still runs. So a dependency that hangs holds one check only."""
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = asyncio.create_task(_wait_for(self.checks[name]))
        return running


async def _wait_for(check: Check) -> object:
    return await check()


class LivenessBody(msgspec.Struct, frozen=True, kw_only=True):
    """Liveness of the process."""

    status: str = "ok"


class ReadinessBody(msgspec.Struct, frozen=True, kw_only=True):
    """Readiness of the process, with the name of its image model."""

    status: str = "ok"
    model: str


class HealthController(Controller):
    """Liveness and readiness."""

    path = "/health"
    tags = ("operations",)

    @get("/live", operation_id="getLiveness", summary="Check liveness")
    async def live(self) -> LivenessBody:
        """Return 200 as long as the process can respond."""
        return LivenessBody()

    @get(
        "/ready",
        operation_id="getReadiness",
        summary="Check readiness",
        responses=problem_responses(503),
    )
    async def ready(
        self, readiness_checks: NamedDependency[ReadinessChecks], capabilities: NamedDependency[Capabilities]
    ) -> Response[ReadinessBody] | Response[Problem]:
        """Return 200 if this version can use the schema of the database and the blob store is reachable, else 503."""
        unavailable = await readiness_checks.unavailable()
        if unavailable:
            problem = Problem(
                title="Service Unavailable",
                status=503,
                detail=f"Not ready: the {' and the '.join(unavailable)}.",
                code=Code.GENERATION_FAILED,
                reason=Reason.STORAGE_UNAVAILABLE,
                retryable=True,
            )
            return problem_response(problem)
        return Response(ReadinessBody(model=capabilities.name), headers={"Cache-Control": "no-store"})
