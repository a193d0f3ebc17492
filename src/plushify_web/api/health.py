"""Health endpoints: liveness and readiness of the process."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec
from litestar import Controller, Response, get
from litestar.di import NamedDependency

from plushify_core import Code, Reason
from plushify_core.ports import Capabilities
from plushify_web.api.problems import Problem, problem_response, problem_responses

log = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 5.0
"""Time limit of each check, in seconds."""

Check = Callable[[], Awaitable[object]]
"""Raises an exception if the dependency that it checks is unavailable."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadinessChecks:
    """Checks of the dependencies that the process cannot work without.

    Args:
        checks: the checks by the names of their dependencies.
    """

    checks: Mapping[str, Check]

    async def unavailable(self) -> list[str]:
        """Run all checks, and return the names of the unavailable dependencies.

        The causes are only logged, because they may contain hosts and paths.
        """
        results = await asyncio.gather(*(self._is_available(name) for name in self.checks))
        return [name for name, available in zip(self.checks, results, strict=True) if not available]

    async def _is_available(self, name: str) -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self.checks[name]()
        except Exception:
            log.exception("not ready: the %s", name)
            return False
        return True


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
