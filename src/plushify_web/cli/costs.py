"""Command `plushify costs`: costs of the image model compared with the credits earned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plushify_web.cli.runtime import run
from plushify_web.cli.terminal import Json, counted, print_json, print_table

if TYPE_CHECKING:
    from plushify_core.ports import CostLine
    from plushify_web.container import Container

HEADINGS = ("Day (UTC)", "Style", "Model", "Pictures", "Credits", "USD", "USD each", "Failed", "USD lost", "Unpriced")

Group = tuple[str, str, str]
"""Day, style and model."""


def costs(
    days: Annotated[int, typer.Option(help="Number of days, including today.", min=1, max=3660)] = 7,
    as_json: Json = False,
) -> None:
    """Show the credits that pictures earned and the dollars they cost, by day, style and model."""

    async def report(container: "Container") -> "Sequence[CostLine]":
        return await container.costs().report(days=days)

    groups: dict[Group, _Totals] = {}
    total = _Totals()
    for line in run(report):
        group = groups.setdefault((line.day.isoformat(), line.style, line.model), _Totals())
        group.add(line)
        total.add(line)
    if as_json:
        lines = [
            {"day": day, "style": style, "model": model, **totals.as_dict()}
            for (day, style, model), totals in groups.items()
        ]
        print_json({"days": days, "lines": lines, "total": total.as_dict()})
        return
    if not groups:
        typer.echo(f"There were no model calls in {counted(days, 'day')}.")
        return
    rows = [(*key, *totals.as_row()) for key, totals in groups.items()]
    print_table(HEADINGS, [*rows, ("Total", "", "", *total.as_row())], numbers=HEADINGS[3:])
    if total.failed:
        typer.echo("\nFailed: calls without a picture. Their credits were refunded.")
    if total.unpriced:
        typer.echo("\nUnpriced: calls whose cost is not known. The dollars leave them out.")
    if total.running:
        typer.echo(f"\n{counted(total.running, 'call')} not counted, because still under way.")


@dataclass(kw_only=True, eq=False)
class _Totals:
    """Sums over model calls. Costs are in nano-dollars."""

    pictures: int = 0
    credits: int = 0
    nano_usd: int = 0
    unpriced_pictures: int = 0
    failed: int = 0
    failed_nano_usd: int = 0
    unpriced_failed: int = 0
    running: int = 0

    @property
    def unpriced(self) -> int:
        """Number of calls whose cost is unknown."""
        return self.unpriced_pictures + self.unpriced_failed

    @property
    def usd_each(self) -> float | None:
        """Average cost in dollars of the pictures whose cost is known; None if there are none."""
        priced = self.pictures - self.unpriced_pictures
        return self.nano_usd / priced / 1e9 if priced else None

    def add(self, line: "CostLine") -> None:
        """Add the calls of this line."""
        from plushify_core import Outcome

        if line.outcome is Outcome.SUCCEEDED:
            self.pictures += line.calls
            self.credits += line.credits_earned
            self.nano_usd += line.cost_nano_usd
            self.unpriced_pictures += line.unpriced_calls
        elif line.outcome is Outcome.CALLING:
            self.running += line.calls
        else:
            self.failed += line.calls
            self.failed_nano_usd += line.cost_nano_usd
            self.unpriced_failed += line.unpriced_calls

    def as_dict(self) -> dict[str, Any]:
        """Return the sums for programs."""
        return {
            "pictures": self.pictures,
            "creditsEarned": self.credits,
            "costUsd": self.nano_usd / 1e9,
            "costUsdEach": self.usd_each,
            "unpricedPictures": self.unpriced_pictures,
            "failedCalls": self.failed,
            "failedCostUsd": self.failed_nano_usd / 1e9,
            "unpricedFailedCalls": self.unpriced_failed,
            "runningCalls": self.running,
        }

    def as_row(self) -> tuple[str, ...]:
        """Return the cells of a table row, in the order of `HEADINGS` from `Pictures` on."""
        return (
            str(self.pictures),
            str(self.credits),
            f"{self.nano_usd / 1e9:.4f}",
            "–" if self.usd_each is None else f"{self.usd_each:.4f}",
            str(self.failed),
            f"{self.failed_nano_usd / 1e9:.4f}",
            str(self.unpriced),
        )
