"""Emulators in processes of their own, for tests that call them over HTTP."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

_REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenRouterEmulator:
    """A running emulator of OpenRouter.

    Attributes:
        base_url: Value for `PLUSHIFY_OPENROUTER_BASE_URL`, e.g. `http://127.0.0.1:41233/api/v1`.
        control: HTTP client for the control endpoints.
    """

    base_url: str
    control: httpx.Client

    @property
    def origin(self) -> str:
        """Scheme, host and port, for the files and the control endpoints of the emulator."""
        return self.base_url.removesuffix("/api/v1")

    def script(self, steps: Sequence[str | Mapping[str, Any]], path: str | None = None) -> None:
        """Set the answers to the next calls, in order. After the last one, every answer is a good picture.

        Args:
            steps: Names of scenarios, or `{"scenario": name, "latency_s": 0.5, …options}`.
            path: `/key`, `/models`, `/endpoints` or `/generation`, to script that endpoint instead of the calls for a
                picture.
        """
        params = {} if path is None else {"path": path}
        response = self.control.post("/_control/script", json=list(steps), params=params)
        assert response.status_code == 200, response.text

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests received, oldest first: `method`, `path`, `headers`, and the decoded JSON as `body`."""
        found: list[dict[str, Any]] = self.control.get("/_control/requests").json()
        return found

    def calls(self) -> list[dict[str, Any]]:
        """Return the requests for a picture."""
        return [request for request in self.requests() if request["method"] == "POST"]

    def waiting(self) -> int:
        """Return the number of calls that the scenario `stall` has left unanswered."""
        return int(self.control.get("/_control/waiting").text)

    def account(self, *, limit: float | None, usage: float) -> None:
        """Set the account's spending limit (None for no limit) and its usage, in dollars."""
        self.control.post("/_control/account", json={"limit": limit, "usage": usage}).raise_for_status()

    def reset(self) -> None:
        """Clear scripts, requests and spending."""
        self.control.post("/_control/reset").raise_for_status()


@contextmanager
def openrouter_emulator(*, latency_s: float = 0, keep: int = 100) -> Iterator[OpenRouterEmulator]:
    """Run an emulator of OpenRouter on a free port of 127.0.0.1, and stop it at the end.

    Args:
        latency_s: Time until an answer in seconds, unless its script sets another one.
        keep: Number of requests to keep for `requests()`.
    """
    command = [sys.executable, "-m", "tests.emulators.openrouter", "--port", "0", "--exit-with-parent"]
    command += ["--latency", str(latency_s), "--keep", str(keep)]
    with subprocess.Popen(
        command, cwd=_REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        try:
            with httpx.Client(base_url=base_url.removesuffix("/api/v1"), trust_env=False) as control:
                yield OpenRouterEmulator(base_url=base_url, control=control)
        finally:
            process.stdin.close()
            process.wait(timeout=10)
