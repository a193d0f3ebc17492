"""Runs the emulators as processes of their own, for tests that talk HTTP to them."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

_REPOSITORY = Path(__file__).parents[2]


class OpenRouterEmulator:
    """A running emulator of OpenRouter.

    Attributes:
        base_url: what `PLUSHIFY_OPENROUTER_BASE_URL` is set to, e.g. `http://127.0.0.1:41233/api/v1`.
    """

    def __init__(self, base_url: str, control: httpx.Client) -> None:
        self.base_url = base_url
        self._control = control

    @property
    def origin(self) -> str:
        """The scheme, host and port, where the emulator serves files and its controls."""
        return self.base_url.removesuffix("/api/v1")

    def script(self, steps: Sequence[str | Mapping[str, Any]], path: str | None = None) -> None:
        """Says how the next calls are answered, in order; after them every answer is a good picture.

        Args:
            steps: names of scenarios, or `{"scenario": name, "latency_s": 0.5, …options}`.
            path: `/key`, `/models`, `/endpoints` or `/generation` to script these instead of the calls for a picture.
        """
        params = {} if path is None else {"path": path}
        response = self._control.post("/_control/script", json=list(steps), params=params)
        assert response.status_code == 200, response.text

    def requests(self) -> list[dict[str, Any]]:
        """What came over the wire, oldest first: `method`, `path`, `headers`, and the decoded JSON as `body`."""
        found: list[dict[str, Any]] = self._control.get("/_control/requests").json()
        return found

    def calls(self) -> list[dict[str, Any]]:
        """Those of the requests that asked for a picture."""
        return [request for request in self.requests() if request["method"] == "POST"]

    def waiting(self) -> int:
        """How many calls have been left without an answer, by the scenario `stall`."""
        return int(self._control.get("/_control/waiting").text)

    def account(self, *, limit: float | None, usage: float) -> None:
        """Sets the account's limit (None for none) and what it has used, in dollars."""
        self._control.post("/_control/account", json={"limit": limit, "usage": usage}).raise_for_status()

    def reset(self) -> None:
        """Forgets scripts, requests and spending."""
        self._control.post("/_control/reset").raise_for_status()


@contextmanager
def openrouter_emulator(*, latency_s: float = 0, keep: int = 100) -> Iterator[OpenRouterEmulator]:
    """Starts an emulator of OpenRouter on a free port of 127.0.0.1, and stops it at the end.

    Args:
        latency_s: how long an answer takes unless the script says otherwise, in seconds.
        keep: how many requests it remembers.
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
                yield OpenRouterEmulator(base_url, control)
        finally:
            process.stdin.close()
            process.wait(timeout=10)
