"""`plushify generate`, with the felt model."""

from pathlib import Path

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
