"""Commands `plushify migrate`, `sweep` and `doctor`: maintenance of an installation."""

import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from plushify_web.cli.runtime import run
from plushify_web.cli.terminal import Json, counted, print_json, spinner

if TYPE_CHECKING:
    from plushify_core import Removal
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
    """Settle interrupted generations, erase deleted ones, and tidy failed ones. Servers do this periodically."""
    counts = run(_sweep_all, uses_storage=True)
    if as_json:
        print_json(counts)
    else:
        typer.echo(_sentence(counts))


def _age(text: str) -> timedelta:
    """Return the duration of a text such as `7d` or `12h`."""
    found = re.fullmatch(r"(\d{1,5})([dh])", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not an age such as 7d or 12h.")
    number = int(found[1])
    return timedelta(days=number) if found[2] == "d" else timedelta(hours=number)


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be repaired safely.")] = False,
    online: Annotated[
        bool, typer.Option("--online", help="Also check the blob store and the provider of the image model.")
    ] = False,
    remove_orphaned_blobs: Annotated[
        bool, typer.Option("--remove-orphaned-blobs", help="Move old pictures that no generation names to the trash.")
    ] = False,
    older_than: Annotated[
        timedelta | None,
        typer.Option(
            help="Age from which orphaned blobs are removed, such as 7d or 12h. Default: PLUSHIFY_ORPHAN_AGE_DAYS.",
            parser=_age,
            metavar="AGE",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove any number of orphaned blobs.")] = False,
    adopt_storage: Annotated[
        bool, typer.Option("--adopt-storage", help="Make this database the owner of the pictures in the storage.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Compare balances, ledger, generations and pictures, and list every disagreement. Exits with 1 if one remains."""
    from plushify_web.cli.report import Report

    report = Report(as_json=as_json)

    async def examine(container: "Container") -> None:
        is_usable = await _check_schema(container, report)
        if online:
            await _check_online(container, report)
        if is_usable and await _check_installation(container, report, record=repair, adopt=adopt_storage):
            with spinner("Comparing balances, ledger, generations and pictures"):
                removal = None
                if remove_orphaned_blobs:
                    removal = await _plan_removal(container, report, older_than, any_number=yes)
                await _audit(container, report, repair=repair, removal=removal)

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


async def _check_installation(container: "Container", report: "Report", *, record: bool, adopt: bool) -> bool:
    """Report a storage that belongs to another installation, and return whether it belongs to this one."""
    from plushify_core import WrongStorage
    from plushify_core.ports import Level, Notice
    from plushify_web.preflight import check_installation, wrong_storage_message

    try:
        if adopt:
            adopted = await container.installation().adopt_storage()
            detail = f"The database and the storage belong to the installation {adopted} now."
            report.notice(Notice(level=Level.OK, subject="installation", detail=detail))
        else:
            await check_installation(container.installation(), record=record)
    except WrongStorage as error:
        report.notice(Notice(level=Level.ERROR, subject="installation", detail=wrong_storage_message(error)))
        return False
    return True


async def _plan_removal(
    container: "Container", report: "Report", older_than: timedelta | None, *, any_number: bool
) -> "Removal | None":
    """Plan the removal of orphaned blobs, and erase those that were removed long ago.

    If too many would be removed, report that, erase nothing and return None.
    """
    from plushify_core import TooManyOrphans
    from plushify_core.ports import Level, Notice

    audit = container.audit()
    try:
        removal = await audit.plan_removal(older_than, any_number=any_number)
    except TooManyOrphans as error:
        detail = (
            f"Nothing was removed, because {error.removable} of {counted(error.listed, 'blob')} would be removed, and "
            f"{counted(error.lost, 'row')} of generations are lost. Make sure that the database is the newest one of "
            "this storage, then repeat the command with --yes."
        )
        report.notice(Notice(level=Level.ERROR, subject="orphaned blobs", detail=detail))
        return None
    erased = await audit.empty_trash()
    if erased:
        detail = f"{counted(erased, 'blob')} removed long ago erased for good."
        report.notice(Notice(level=Level.OK, subject="trash", detail=detail))
    return removal


async def _audit(container: "Container", report: "Report", *, repair: bool, removal: "Removal | None") -> None:
    if repair:
        counts = await _sweep_all(container)
        report.swept(counts, _sentence(counts))
    async for finding in container.audit().findings(repair=repair, removal=removal):
        report.finding(finding)


async def _sweep_all(container: "Container") -> dict[str, int]:
    """Sweep until nothing is left to do.

    Generations that were never dispatched are left to the servers until their deadline, because the image model of this
    process may be another one. `finished` is therefore always 0.

    Returns:
        The numbers of generations that were refunded, erased (purged), tidied (rid of orphaned blobs) and finished,
        and the number of users whose credits expired.
    """
    counts = {"refunded": 0, "erased": 0, "tidied": 0, "finished": 0, "expired": 0}
    while True:
        swept = await container.recover().sweep(reclaim=False)
        batch = {
            "refunded": swept.refunded,
            "erased": swept.purged,
            "tidied": swept.tidied,
            "expired": swept.expired,
        }
        if not any(batch.values()):
            break
        for name, count in batch.items():
            counts[name] += count
    try:
        await container.accounts().remove_expired_sessions()
    except Exception:  # the sweep itself is done
        log.exception("expired sessions could not be removed")
    return counts


def _sentence(counts: dict[str, int]) -> str:
    generations = ", ".join(f"{counts[name]} {name}" for name in ("refunded", "erased", "tidied"))
    return f"Generations: {generations}. Users whose credits expired: {counts['expired']}."
