"""Whether the process lives, and whether it can do its work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from litestar import Controller, Response, get
from litestar.di import NamedDependency

from plushify_core import Code, Reason
from plushify_core.ports import Capabilities
from plushify_web.api.problems import Problem, problem_response, problem_responses

log = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 5.0

Check = Callable[[], Awaitable[object]]
"""Returns if all is well, and raises what is not."""


class HealthChecks:
    """What must work for this process to be of use, by name."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

    async def failures(self) -> list[str]:
        """The names of those that do not. Why is in the log: it may name hosts and paths."""
        results = await asyncio.gather(*(self._holds(name) for name in self._checks))
        return [name for name, holds in zip(self._checks, results, strict=True) if not holds]

    async def _holds(self, name: str) -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self._checks[name]()
        except Exception:
            log.exception("not ready: the %s", name)
            return False
        return True


class LivenessBody(msgspec.Struct, frozen=True, kw_only=True):
    """The process lives."""

    status: str = "ok"


class ReadinessBody(msgspec.Struct, frozen=True, kw_only=True):
    """All is well, and this model draws."""

    status: str = "ok"
    model: str


class HealthController(Controller):
    """Health."""

    path = "/health"
    tags = ("operations",)

    @get("/live", operation_id="getLiveness", summary="The process lives")
    async def live(self) -> LivenessBody:
        """Answers as long as the process can answer anything."""
        return LivenessBody()

    @get(
        "/ready",
        operation_id="getReadiness",
        summary="The process can do its work",
        responses=problem_responses(503),
    )
    async def ready(
        self, checks: NamedDependency[HealthChecks], capabilities: NamedDependency[Capabilities]
    ) -> Response[ReadinessBody] | Response[Problem]:
        """The database is at the head of its migrations and the blob store can be reached; and which model draws."""
        failures = await checks.failures()
        if failures:
            problem = Problem(
                title="Service Unavailable",
                status=503,
                detail=f"Not ready: the {' and the '.join(failures)}.",
                code=Code.GENERATION_FAILED,
                reason=Reason.STORAGE_UNAVAILABLE,
                retryable=True,
            )
            return problem_response(problem)
        return Response(ReadinessBody(model=capabilities.name), headers={"Cache-Control": "no-store"})
