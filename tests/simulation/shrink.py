"""Search for the shortest trace of a failing world: leave out everything that the failure does not need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from tests.simulation.plan import Operation, Plan
from tests.simulation.world import Report, simulate

T = TypeVar("T")

MAX_WORLDS = 400
"""Number of smaller worlds that are tried."""


@dataclass(eq=False)
class Shrinker:
    """Searches for a smaller plan that still breaks a promise, not necessarily the same one.

    Args:
        plan: plan that breaks a promise; later the smallest one found.
        report: report of `plan`.
        worlds_left: number of worlds that may still be tried.
    """

    plan: Plan
    report: Report
    worlds_left: int = MAX_WORLDS

    def shrink(self) -> tuple[Plan, Report]:
        """Return the smallest plan found, and its report."""
        before = -1
        while before != len(self.report.trace):
            before = len(self.report.trace)
            self._drop_operations()
            self._mute_faults()
            self._zero_fault_rates()
        return self.plan, self.report

    def _drop_operations(self) -> None:
        self._drop(lambda: self.plan.operations, self._without)

    def _mute_faults(self) -> None:
        self._drop(lambda: self.report.fault_names, lambda names: self._change(muted=self.plan.muted | {*names}))

    def _zero_fault_rates(self) -> None:
        for name in self.plan.rates.__struct_fields__:
            if getattr(self.plan.rates, name):
                self._try(self._change(rates=msgspec.structs.replace(self.plan.rates, **{name: 0.0})))
        self._try(self._change(skews_s=tuple(0.0 for _ in self.plan.skews_s)))

    def _drop(self, items: Callable[[], Sequence[T]], without: Callable[[Sequence[T]], Plan]) -> None:
        """Try to leave out all items, then halves, then quarters, and finally single items."""
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
        """Simulate the plan, and keep it if it breaks a promise. Return whether it was kept."""
        if plan == self.plan or not self.worlds_left:
            return False
        self.worlds_left -= 1
        report = simulate(plan)
        if report.violation is None:
            return False
        self.plan, self.report = plan, report
        return True
