"""`plushify costs`."""

from pathlib import Path

import pytest

from tests.emulators.process import openrouter_emulator
from tests.web.cli.shell import Shell

NOTHING = {
    "pictures": 0,
    "creditsEarned": 0,
    "costUsd": 0.0,
    "costUsdEach": None,
    "unpricedPictures": 0,
    "failedCalls": 0,
    "failedCostUsd": 0.0,
    "unpricedFailedCalls": 0,
    "unpricedExpectedUsd": 0.0,
    "runningCalls": 0,
    "runningExpectedUsd": 0.0,
}
MODEL = "google/gemini-2.5-flash-image"


def test_reports_no_calls(plushify: Shell) -> None:
    """Without model calls, the report is a sentence, and in JSON an empty list."""
    assert plushify("costs", "--days", 1)[1] == "There were no model calls in 1 day.\n"
    assert plushify.json("costs") == {"days": 7, "lines": [], "total": NOTHING}


def test_reports_credits_earned_and_costs(
    plushify: Shell, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report has pictures with credits earned and costs. It counts failed and unpriced calls separately."""
    monkeypatch.setenv("PLUSHIFY_OPENROUTER_API_KEY", "sk-or-v1-costs")
    monkeypatch.setenv("PLUSHIFY_FREE_CREDITS", "10")
    with openrouter_emulator() as emulator:
        monkeypatch.setenv("PLUSHIFY_OPENROUTER_BASE_URL", emulator.base_url)
        out = tmp_path / "out.png"
        for quality, style, scenario in (
            ("standard", "classic", {"scenario": "ok", "cost": 0.04}),
            ("high", "classic", {"scenario": "ok", "cost": 0.02}),
            ("standard", "classic", {"scenario": "ok", "with_usage": False}),
            ("standard", "kawaii", {"scenario": "no_picture", "native": "SAFETY", "cost": 0.01}),
        ):
            emulator.script([scenario])
            plushify("generate", photo, "--style", style, "--quality", quality, "-o", out)

    report = plushify.json("costs")
    sums = [{name: line[name] for name in line if line[name]} for line in report["lines"]]
    day = report["lines"][0]["day"]
    classic = {"pictures": 3, "creditsEarned": 4, "costUsd": 0.06, "costUsdEach": 0.03}
    classic |= {"unpricedPictures": 1, "unpricedExpectedUsd": 0.039}
    kawaii = {"failedCalls": 1, "failedCostUsd": 0.01}
    assert sums == [
        {"day": day, "style": "classic", "model": MODEL, **classic},
        {"day": day, "style": "kawaii", "model": MODEL, **kawaii},
    ]
    assert report["total"] == NOTHING | classic | kawaii

    head, *table = plushify("costs")[1].splitlines()
    assert head.split()[-6:] == ["USD", "each", "Failed", "USD", "lost", "Unpriced"]
    assert [line.split() for line in table[:3]] == [
        [day, "classic", MODEL, "3", "4", "0.0600", "0.0300", "0", "0.0000", "1"],
        [day, "kawaii", MODEL, "0", "0", "0.0000", "–", "1", "0.0100", "0"],
        ["Total", "3", "4", "0.0600", "0.0300", "1", "0.0100", "1"],
    ]
    assert [line for line in table[3:] if line] == [
        "Failed: calls without a picture. Their credits were refunded.",
        "Unpriced: calls whose cost is not known. The dollars leave them out: 0.0390 USD are expected.",
    ]
