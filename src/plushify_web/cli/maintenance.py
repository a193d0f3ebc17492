"""Commands `plushify migrate`, `sweep` and `doctor`: maintenance of an installation."""

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from plushify_web.cli.runtime import run
from plushify_web.cli.terminal import Json, print_json, spinner

if TYPE_CHECKING:
    from plushify_web.cli.report import Report
    from plushify_web.container import Container

log = logging.getLogger(__name__)


def migrate(
    downgrade_to: Annotated[
        str | None,
        typer.Option(
            metavar="REVISION",
            help="Instead, revert all migrations after this one. What they added to the database is lost.",
        ),
    ] = None,
) -> None:
    """Migrate the database to the schema of this version."""

    async def bring_to_revision(container: "Container") -> str:
        migrations = container.migrations()
        if downgrade_to is None:
            await migrations.upgrade()
        else:
            await migrations.downgrade(downgrade_to)
        description: str = (await migrations.state()).value
        return description

    description = run(bring_to_revision, schema="ignore")
    if downgrade_to is None:
        typer.echo(f"The database is up to date: it {description}.", err=True)
    else:
        typer.echo(f"The database is at revision {downgrade_to}.", err=True)


def sweep(as_json: Json = False) -> None:
    """Settle interrupted generations, purge deleted ones, and remove orphaned blobs. Servers do this periodically."""
    counts = run(_sweep_all)
    if as_json:
        print_json(counts)
    else:
        typer.echo(_sentence(counts))


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired safely.")] = False,
    online: Annotated[
        bool, typer.Option("--online", help="Also check the blob store and the provider of the image model.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Compare balances, ledger, generations and pictures, and list inconsistencies. Exits with 1 if any remain."""
    from plushify_web.cli.report import Report

    report = Report(as_json=as_json)

    async def examine(container: "Container") -> None:
        is_usable = await _check_schema(container, report)
        if online:
            await _check_online(container, report)
        if is_usable:
            with spinner("Comparing balances, ledger, generations and pictures"):
                await _audit(container, report, repair=repair)

    run(examine, schema="ignore")
    report.close(repair=repair)
    raise typer.Exit(0 if report.healthy else 1)


async def _check_online(container: "Container", report: "Report") -> None:
    preflight = container.preflight()
    report.notice(await preflight.check_storage())
    for notice in await preflight.check_model():
        report.notice(notice)


async def _check_schema(container: "Container", report: "Report") -> bool:
    """Report whether this version can use the schema of the database, and return it."""
    from plushify_core.ports import Level, Notice

    state = await container.migrations().state()
    level = Level.OK if state.is_usable else Level.ERROR
    report.notice(Notice(level=level, subject="database", detail=f"It {state.value}."))
    return bool(state.is_usable)


async def _audit(container: "Container", report: "Report", *, repair: bool) -> None:
    if repair:
        counts = await _sweep_all(container)
        report.swept(counts, _sentence(counts))
    async for finding in container.audit().findings(repair=repair):
        report.finding(finding)


async def _sweep_all(container: "Container") -> dict[str, int]:
    """Sweep until nothing is left to do, and run the reclaimed generations.

    Returns:
        The numbers of generations that were refunded, erased (purged), tidied (rid of orphaned blobs) and finished,
        and the number of users whose credits expired.
    """
    counts = {"refunded": 0, "erased": 0, "tidied": 0, "finished": 0, "expired": 0}
    while True:
        swept = await container.recover().sweep()
        for generation_id in swept.to_run:
            await container.plushify().generate.run(generation_id)
        if swept.to_run:
            await container.plushify().generate.wait_for_cleanup()
        batch = (swept.refunded, swept.purged, swept.tidied, len(swept.to_run), swept.expired)
        if not any(batch):
            break
        for name, count in zip(counts, batch, strict=True):
            counts[name] += count
    try:
        await container.accounts().remove_expired_sessions()
    except Exception:  # the sweep itself is done
        log.exception("expired sessions could not be removed")
    return counts


def _sentence(counts: dict[str, int]) -> str:
    generations = ", ".join(f"{counts[name]} {name}" for name in ("refunded", "erased", "tidied", "finished"))
    return f"Generations: {generations}. Users whose credits expired: {counts['expired']}."
