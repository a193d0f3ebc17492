"""`plushify generate`, with the felt model."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import pyvips

from tests.web.cli.shell import Shell


def test_writes_the_picture(plushify: Shell, photo: Path, tmp_path: Path) -> None:
    """`generate` writes the picture to a file, charges the local account, and prints the size of the picture."""
    out = tmp_path / "out.png"
    exit_code, stdout, stderr = plushify("generate", photo, "--style", "kawaii", "-o", out)

    assert (exit_code, stderr) == (0, "Felt preview (built in) is making a plushie…\n")
    picture = pyvips.Image.new_from_file(str(out))
    assert max(picture.width, picture.height) == 512
    assert stdout == (
        f"{out}\n"
        "  style     Kawaii\n"
        f"  size      {picture.width} × {picture.height} px\n"
        "  credits   1 spent, 2 left\n"
        "  drawn by  Felt preview (built in)\n"
    )
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_result_as_json(plushify: Shell, photo: Path, tmp_path: Path) -> None:
    """With `--json`, the result is one JSON object on stdout."""
    result = plushify.json("generate", photo, "-o", tmp_path / "out.png")
    assert (result["style"], result["creditsSpent"], result["balance"]) == ("classic", 1, 2)
    assert result["model"]["preview"] is True


def test_without_credits_the_message_names_the_command_that_grants_more(
    plushify: Shell, photo: Path, tmp_path: Path
) -> None:
    """If the balance does not cover the price, the message names the command that grants more credits."""
    exit_code, stdout, stderr = plushify("generate", photo, "--quality", "ultra", "-o", tmp_path / "out.png")
    assert (exit_code, stdout) == (1, "")
    assert "plushify credits grant you@localhost 10 --reason" in stderr
    assert not (tmp_path / "out.png").exists()

    assert plushify("credits", "grant", "you@localhost", 10, "--reason", "more")[0] == 0
    assert "13 credits" in plushify("credits", "show", "you@localhost")[1]


def fetch(plushify: Shell, message: str, output: Path) -> tuple[int, str, str]:
    """Run the command that the message advises, with this output file."""
    command = message[message.index("plushify generate --fetch") :].replace("FILE", str(output))
    return plushify(*command.split()[1:])


def test_a_full_disk_costs_nothing(
    plushify: Shell, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there is no space for the picture, nothing is charged, and the folder is as it was."""
    (tmp_path / "folder").mkdir()

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        exit_code, stdout, stderr = plushify("generate", photo, "-o", tmp_path / "folder" / "out.png")
    assert (exit_code, stdout) == (1, "")
    assert stderr.endswith("out.png cannot be written: No space left on device. Nothing was charged.\n")
    assert list((tmp_path / "folder").iterdir()) == []
    assert not (tmp_path / "data").exists()


def test_a_limit_of_file_sizes_costs_nothing(photo: Path, tmp_path: Path) -> None:
    """A disk that takes the database but not the picture is found before anything is charged."""
    result = subprocess.run(
        ["/bin/bash", "-c", f'ulimit -f 1024; exec {sys.executable} -c "$PROGRAM" generate "$PHOTO" -o "$OUT"'],
        env={
            **os.environ,
            "PROGRAM": "from plushify_web.cli import main; main()",
            "PHOTO": str(photo),
            "OUT": str(tmp_path / "out.png"),
            "PLUSHIFY_DATA_DIR": str(tmp_path / "data"),
        },
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.endswith("cannot be written: File too large. Nothing was charged.\n")
    assert not (tmp_path / "data").exists()
    assert not any(name.suffix == ".part" for name in tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("email", ["you@localhost", "ada@plushify.test"])
def test_a_picture_that_could_not_be_written_is_fetched_again(
    plushify: Shell, photo: Path, tmp_path: Path, email: str
) -> None:
    """If writing fails after the picture is drawn, the message names a command that writes it without paying again."""
    exit_code, stdout, stderr = plushify("generate", photo, "--email", email, "-o", "/dev/full")
    assert (exit_code, stdout) == (1, "")
    assert "could not be written to /dev/full: No space left on device." in stderr
    assert plushify.json("credits", "show", email)["balance"] == 2

    out = tmp_path / "out.png"
    exit_code, stdout, _ = fetch(plushify, stderr, out)
    assert (exit_code, stdout.splitlines()[0]) == (0, str(out))
    assert "0 spent, 2 left" in stdout
    assert pyvips.Image.new_from_file(str(out)).width == 512


def test_a_picture_belongs_to_its_account(plushify: Shell, photo: Path, tmp_path: Path) -> None:
    """`--fetch` finds only the generations of the account."""
    made = plushify.json("generate", photo, "-o", tmp_path / "out.png")
    plushify("generate", photo, "-o", tmp_path / "other.png", "--email", "ada@plushify.test")
    exit_code, _, stderr = plushify(
        "generate", "--fetch", made["id"], "-o", tmp_path / "x.png", "--email", "ada@plushify.test"
    )
    assert (exit_code, stderr) == (1, f"plushify: ada@plushify.test has no generation {made['id']}.\n")
    again = plushify.json("generate", "--fetch", made["id"], "-o", tmp_path / "x.png")
    assert (again["creditsSpent"], again["balance"], again["model"]) == (0, 2, None)
    assert (tmp_path / "x.png").read_bytes() == (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize("arguments", [(), ("{photo}", "--fetch", "01a210d5-f991-7f38-a0ce-3f1365454fe1")])
def test_takes_either_a_photo_or_an_id(
    plushify: Shell, photo: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Without a photo or an id, and with both, the usage is refused."""
    words = [argument.format(photo=photo) for argument in arguments]
    assert plushify("generate", *words, "-o", tmp_path / "out.png")[0] == 2


def test_the_output_file_is_replaced_at_once(plushify: Shell, photo: Path, tmp_path: Path) -> None:
    """An existing file keeps its permissions, and a symbolic link leads to the new picture."""
    target, link = tmp_path / "target.png", tmp_path / "link.png"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    assert plushify("generate", photo, "-o", link)[0] == 0
    assert link.is_symlink()
    assert target.read_bytes().startswith(b"\x89PNG")
    assert target.stat().st_mode & 0o777 == 0o640

    plushify("generate", tmp_path / "photo.jpg", "--style", "baroque", "-o", target)
    assert target.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"photo.jpg", "target.png", "link.png", "data"}


def test_a_new_file_has_the_usual_permissions(plushify: Shell, photo: Path, tmp_path: Path) -> None:
    """A new file is readable as the umask says."""
    mask = os.umask(0o027)
    try:
        plushify("generate", photo, "-o", tmp_path / "out.png")
    finally:
        os.umask(mask)
    assert (tmp_path / "out.png").stat().st_mode & 0o777 == 0o640
