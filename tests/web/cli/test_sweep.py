"""`plushify sweep`."""

import pytest

from plushify_web.identity.accounts import Accounts
from tests.web.cli.shell import Shell


def test_result_as_json(plushify: Shell) -> None:
    """With `--json`, the result is one JSON object with all counts, which are zero if there is nothing to do."""
    assert plushify.json("sweep") == {"refunded": 0, "erased": 0, "tidied": 0, "finished": 0, "expired": 0}


def test_a_failed_removal_of_sessions_stops_nothing(plushify: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """If expired sessions cannot be removed, the sweep logs the error and succeeds."""

    async def fail(_: Accounts) -> int:
        raise RuntimeError("no sessions today")

    monkeypatch.setattr(Accounts, "remove_expired_sessions", fail)
    exit_code, out, err = plushify("sweep")
    assert (exit_code, out.startswith("Generations: 0 refunded")) == (0, True)
    assert "no sessions today" in err
