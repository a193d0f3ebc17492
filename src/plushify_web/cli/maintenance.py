"""Keeping the house in order."""

from typing import TYPE_CHECKING, Annotated

import typer

from plushify_web.cli.runtime import run
from plushify_web.cli.terminal import Json, print_json, spinner

if TYPE_CHECKING:
    from plushify_web.cli.report import Report
    from plushify_web.container import Container


def migrate() -> None:
    """Bring the database to the tables of this version."""

    async def nothing(_: "Container") -> None:
        """For the sake of what comes before."""

    run(nothing)
    typer.echo("The database is up to date.", err=True)


def sweep(as_json: Json = False) -> None:
    """Settle what dead processes left behind, and remove what nobody needs. Servers do so by themselves."""
    done = run(_settle)
    if as_json:
        print_json(done)
    else:
        typer.echo(_told(done))


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended safely.")] = False,
    online: Annotated[
        bool, typer.Option("--online", help="Also try the storage, and ask the image model's provider.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Compare balances, ledger, generations and pictures, and list what disagrees. Exits with 1 if anything does."""
    from plushify_web.cli.report import Report

    report = Report(as_json=as_json)

    async def examine(container: "Container") -> None:
        migrated = await _is_migrated(container, report)
        if online:
            await _try_out(container, report)
        if migrated:
            with spinner("Comparing balances, ledger, generations and pictures"):
                await _compare(container, report, repair=repair)

    run(examine, migrated=False)
    report.close(repair=repair)
    raise typer.Exit(0 if report.healthy else 1)


async def _try_out(container: "Container", report: "Report") -> None:
    preflight = container.preflight()
    report.notice(await preflight.check_storage())
    for notice in await preflight.check_model():
        report.notice(notice)


async def _is_migrated(container: "Container", report: "Report") -> bool:
    from plushify_core.ports import Level, Notice

    migrated = await container.migrations().is_current()
    if migrated:
        notice = Notice(level=Level.OK, subject="database", detail="It has the tables of this version.")
    else:
        detail = "It does not have the tables of this version: run `plushify migrate`."
        notice = Notice(level=Level.ERROR, subject="database", detail=detail)
    report.notice(notice)
    return migrated


async def _compare(container: "Container", report: "Report", *, repair: bool) -> None:
    if repair:
        done = await _settle(container)
        report.swept(done, _told(done))
    async for finding in container.plushify().audit.findings(repair=repair):
        report.finding(finding)


async def _settle(container: "Container") -> dict[str, int]:
    """Sweep until nothing is left to do; how many generations were refunded, erased, cleared up after and finished, and
    of how many users credits expired."""
    plushify = container.plushify()
    await container.accounts().remove_expired_sessions()
    done = {"refunded": 0, "erased": 0, "tidied": 0, "finished": 0, "expired": 0}
    while True:
        swept = await plushify.recover.sweep()
        for generation_id in swept.to_run:
            await plushify.generate.run(generation_id)
        if swept.to_run:
            await plushify.generate.wait_for_cleanup()
        batch = (swept.refunded, swept.purged, swept.tidied, len(swept.to_run), swept.expired)
        if not any(batch):
            return done
        for what, count in zip(done, batch, strict=True):
            done[what] += count


def _told(done: dict[str, int]) -> str:
    generations = ", ".join(f"{done[what]} {what}" for what in ("refunded", "erased", "tidied", "finished"))
    return f"Generations: {generations}. Users whose credits expired: {done['expired']}."
