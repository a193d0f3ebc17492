"""What `plushify doctor` prints, line by line, as it is found."""

from typing import Any

import msgspec
import typer

from plushify_core import Disagreement, Finding
from plushify_core.ports import Level, Notice
from plushify_web.cli.terminal import counted

COLOURS = {"ok": "green", "mended": "green", "warning": "yellow", "error": "red", "disagrees": "red"}

SUBJECTS = {
    Disagreement.BALANCE: "balance of",
    Disagreement.ENTRIES: "credits of",
    Disagreement.LEASE: "lease of",
    Disagreement.CALL: "model call of",
    Disagreement.BLOB_MISSING: "missing",
    Disagreement.BLOB_UNKNOWN: "stray",
}


class Report:
    """Prints what is found, and counts it. Nothing of it is kept.

    Args:
        as_json: print one JSON object per line, whose `type` is `check`, `sweep`, `finding` or `summary`.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._counts = {"errors": 0, "warnings": 0, "disagreeing": 0, "mended": 0}

    @property
    def healthy(self) -> bool:
        """Whether all agrees, or was mended; what is for soon is not counted."""
        return not (self._counts["errors"] or self._counts["disagreeing"])

    def notice(self, notice: Notice) -> None:
        """Something was tried out."""
        if notice.level is not Level.OK:
            self._counts[f"{notice.level}s"] += 1
        self._print("check", msgspec.structs.asdict(notice), _line(notice.level, f"{notice.subject}: {notice.detail}"))

    def swept(self, done: dict[str, int], told: str) -> None:
        """A sweep came first."""
        self._print("sweep", done, _line("swept", told))

    def finding(self, finding: Finding) -> None:
        """Something disagrees, or did."""
        self._counts["mended" if finding.repaired else "disagreeing"] += 1
        told = f"{SUBJECTS[finding.disagreement]} {finding.subject}: {finding.detail}"
        mark = "mended" if finding.repaired else "disagrees"
        self._print("finding", msgspec.structs.asdict(finding), _line(mark, told))

    def close(self, *, repair: bool) -> None:
        """Say how it went."""
        self._print("summary", {"healthy": self.healthy, **self._counts}, self._summary(repair=repair))

    def _summary(self, *, repair: bool) -> str:
        errors, warnings, disagreeing, mended = self._counts.values()
        said = [counted(count, what) for count, what in ((errors, "error"), (warnings, "warning")) if count]
        if mended:
            said.append(f"{mended} mended")
        if disagreeing:
            said.append(f"{disagreeing} disagree{'s' if disagreeing == 1 else ''}")
        if not disagreeing:
            return f"{', '.join(said or ['All agrees'])}."
        advice = "a person has to decide" if repair else "`plushify doctor --repair` mends what is safe"
        return f"{', '.join(said)}: {advice}."

    def _print(self, kind: str, values: dict[str, Any], told: str) -> None:
        typer.echo(msgspec.json.encode({"type": kind, **values}) if self._as_json else told)


def _line(mark: str, told: str) -> str:
    return f"{typer.style(f'{mark:<9}', fg=COLOURS.get(mark))}  {told}"
