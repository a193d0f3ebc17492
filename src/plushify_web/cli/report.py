"""Report of `plushify doctor`, printed line by line."""

from dataclasses import dataclass, field
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


@dataclass(kw_only=True, eq=False)
class Report:
    """Printer and counter of notices and findings, which keeps none of them in memory.

    Args:
        as_json: print one JSON object per line, whose `type` is `check`, `sweep`, `finding` or `summary`.
    """

    as_json: bool
    _errors: int = field(init=False, default=0)
    _warnings: int = field(init=False, default=0)
    _disagreeing: int = field(init=False, default=0)
    _mended: int = field(init=False, default=0)

    @property
    def healthy(self) -> bool:
        """Whether there are no errors and no unrepaired findings. Warnings are not counted."""
        return not (self._errors or self._disagreeing)

    def notice(self, notice: Notice) -> None:
        """Print the notice of a check."""
        self._errors += notice.level is Level.ERROR
        self._warnings += notice.level is Level.WARNING
        self._print("check", msgspec.structs.asdict(notice), _line(notice.level, f"{notice.subject}: {notice.detail}"))

    def swept(self, counts: dict[str, int], sentence: str) -> None:
        """Print the result of the sweep before a repair."""
        self._print("sweep", counts, _line("swept", sentence))

    def finding(self, finding: Finding) -> None:
        """Print a finding of the audit."""
        self._mended += finding.repaired
        self._disagreeing += not finding.repaired
        sentence = f"{SUBJECTS[finding.disagreement]} {finding.subject}: {finding.detail}"
        mark = "mended" if finding.repaired else "disagrees"
        self._print("finding", msgspec.structs.asdict(finding), _line(mark, sentence))

    def close(self, *, repair: bool) -> None:
        """Print the summary."""
        counts = {
            "errors": self._errors,
            "warnings": self._warnings,
            "disagreeing": self._disagreeing,
            "mended": self._mended,
        }
        self._print("summary", {"healthy": self.healthy, **counts}, self._summary(repair=repair))

    def _summary(self, *, repair: bool) -> str:
        parts = []
        if self._errors:
            parts.append(counted(self._errors, "error"))
        if self._warnings:
            parts.append(counted(self._warnings, "warning"))
        if self._mended:
            parts.append(f"{self._mended} mended")
        if self._disagreeing:
            parts.append(f"{self._disagreeing} disagree{'s' if self._disagreeing == 1 else ''}")
        if not self._disagreeing:
            return f"{', '.join(parts or ['All agrees'])}."
        advice = "a person has to decide" if repair else "`plushify doctor --repair` mends what is safe"
        return f"{', '.join(parts)}: {advice}."

    def _print(self, kind: str, values: dict[str, Any], line: str) -> None:
        typer.echo(msgspec.json.encode({"type": kind, **values}) if self.as_json else line)


def _line(mark: str, sentence: str) -> str:
    return f"{typer.style(f'{mark:<9}', fg=COLOURS.get(mark))}  {sentence}"
