"""Output of every command: results go to stdout, and what goes wrong with it is one sentence."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.web.cli.commands import PRINT_RESULTS, assert_one_sentence
from tests.web.cli.shell import Shell


def broken_pipe() -> int:
    """Return the end of a pipe that nobody reads."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    return write_end


def full_disk() -> int:
    """Return a device that is always full."""
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("opened", [broken_pipe, full_disk])
@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("command", sorted(PRINT_RESULTS))
def test_a_result_that_cannot_be_printed(
    plushify: Shell,
    arguments: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    opened: Callable[[], int],
    as_json: bool,
    command: str,
) -> None:
    """If nobody reads the result, or the disk is full, the command says so on stderr and exits with 1."""
    stdout = os.fdopen(opened(), "w")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        exit_code, _, stderr = plushify(*arguments(command), *(["--json"] if as_json else []))
    with contextlib.suppress(OSError):
        stdout.close()
    assert exit_code == 1
    assert_one_sentence(stderr, "The result could not be printed: ")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("command", sorted(PRINT_RESULTS))
def test_json_is_all_of_stdout(
    plushify: Shell,
    arguments: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    """With `--json`, everything that is not the result goes to stderr, and a result is there even if it is empty."""
    monkeypatch.setenv("PLUSHIFY_LOG", "json")
    exit_code, stdout, _ = plushify(*arguments(command), "--json")
    assert exit_code == 0
    results = stdout.splitlines() if command == "doctor" else [stdout]
    assert all(isinstance(msgspec.json.decode(result), dict) for result in results)
    assert results


PLUSHIFY = [sys.executable, "-c", "from plushify_web.cli import main; main()"]


def in_a_process(*arguments: object, shell: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, after the shell has changed its limits or streams."""
    command = shlex.join([*PLUSHIFY, *map(str, arguments)])
    return subprocess.run(
        ["/bin/bash", "-c", shell.format(f"exec {command}")],
        env={**os.environ, "PLUSHIFY_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )


@pytest.mark.parametrize("command", ["generate", "credits grant", "migrate", "sweep", "doctor"])
def test_a_full_disk_is_a_sentence(arguments: Callable[[str], list[str]], tmp_path: Path, command: str) -> None:
    """If the files may not grow any more, the message says so."""
    limited = in_a_process(*arguments(command), shell="ulimit -f 2; {}", data_dir=tmp_path / "data")
    assert (limited.returncode, limited.stdout) == (1, "")
    assert_one_sentence(limited.stderr)


def test_closed_streams(photo: Path, tmp_path: Path) -> None:
    """With all standard streams closed, the work is done, and no file of ours takes their place."""
    closed = in_a_process(
        "generate", photo, "-o", tmp_path / "out.png", shell="{} <&- >&- 2>&-", data_dir=tmp_path / "d"
    )
    assert (closed.returncode, closed.stdout, closed.stderr) == (0, "", "")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_terminal_without_unicode(photo: Path, tmp_path: Path) -> None:
    """A character that the terminal cannot show is a question mark."""
    result = in_a_process(
        "generate",
        photo,
        "-o",
        tmp_path / "out.png",
        shell="export PYTHONIOENCODING=cp1251; {}",
        data_dir=tmp_path / "d",
    )
    assert result.returncode == 0
    assert "512 ? 341 px" in result.stdout


@pytest.mark.parametrize("command", ["migrate", "sweep", "doctor", "credits show", "serve"])
def test_ctrl_c_is_a_sentence(arguments: Callable[[str], list[str]], tmp_path: Path, command: str) -> None:
    """Ctrl-C while the database does not answer ends the command with 130."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"postgresql://ann@127.0.0.1:{listener.getsockname()[1]}/x"
        # A shell starts background jobs with an ignored SIGINT, which a child would inherit.
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [*PLUSHIFY, *arguments(command)],
            env={**os.environ, "PLUSHIFY_DATA_DIR": str(tmp_path / "data"), "PLUSHIFY_DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        signal.signal(signal.SIGINT, handler)
        try:
            listener.settimeout(60)
            connection, _ = listener.accept()
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=60)
            connection.close()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
    assert (process.returncode, stdout) == (130, "")
    assert_one_sentence(stderr, "Interrupted.")
