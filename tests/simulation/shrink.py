"""The shortest trace of a failing world: leave out what it fails without."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from tests.simulation.plan import Operation, Plan
from tests.simulation.world import Report, simulate

T = TypeVar("T")

MAX_WORLDS = 400
"""How many smaller worlds are tried."""


class Shrinking:
    """Looks for a smaller plan that still breaks a promise, whichever.

    Args:
        plan: breaks one.
        report: how.
        run: lets a plan happen.
        max_worlds: after so many, what is found is good enough.
    """

    def __init__(
        self,
        plan: Plan,
        report: Report,
        *,
        run: Callable[[Plan], Report] = simulate,
        max_worlds: int = MAX_WORLDS,
    ) -> None:
        self.plan = plan
        self.report = report
        self._run = run
        self._left = max_worlds

    def shrink(self) -> tuple[Plan, Report]:
        """The smallest plan found, and its report."""
        before = -1
        while before != len(self.report.trace):
            before = len(self.report.trace)
            self._drop_operations()
            self._mute_faults()
            self._calm_the_weather()
        return self.plan, self.report

    def _drop_operations(self) -> None:
        self._drop(lambda: self.plan.operations, self._without)

    def _mute_faults(self) -> None:
        self._drop(lambda: self.report.fault_names, lambda names: self._change(muted=self.plan.muted | {*names}))

    def _calm_the_weather(self) -> None:
        for name in self.plan.weather.__struct_fields__:
            if getattr(self.plan.weather, name):
                self._try(self._change(weather=msgspec.structs.replace(self.plan.weather, **{name: 0.0})))
        self._try(self._change(skews_s=tuple(0.0 for _ in self.plan.skews_s)))

    def _drop(self, items: Callable[[], Sequence[T]], without: Callable[[Sequence[T]], Plan]) -> None:
        """Leave out all, halves, quarters, and in the end each by itself."""
        size = len(items())
        while size:
            start = 0
            while start < len(items()):
                if not self._try(without(items()[start : start + size])):
                    start += size
            size //= 2

    def _without(self, dropped: Sequence[Operation]) -> Plan:
        return self._change(operations=tuple(kept for kept in self.plan.operations if kept not in dropped))

    def _change(self, **changes: object) -> Plan:
        return msgspec.structs.replace(self.plan, **changes)

    def _try(self, plan: Plan) -> bool:
        if plan == self.plan or not self._left:
            return False
        self._left -= 1
        report = self._run(plan)
        if report.broken is None:
            return False
        self.plan, self.report = plan, report
        return True
