"""Places of the data: folders with any name, and folders and files given as URLs."""

from pathlib import Path

import pytest

from tests.web.cli.shell import Shell

NAMES = ["with space", "ümlaut", "what?", "a#b", "100%", "a%20b", "%3F", "a&b=c", "x:y@z", "a::b", "~", "quote'\"", "*"]


def files(folder: Path) -> set[str]:
    """Return the names of what is in the folder, hidden files included."""
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_everything_is_in_the_data_folder(
    plushify: Shell, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, relative: bool
) -> None:
    """The database and the pictures are in the data folder, whatever characters its name has."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    data = home / name
    monkeypatch.setenv("PLUSHIFY_DATA_DIR", f"./{name}" if relative else str(data))
    result = plushify.json("generate", photo, "-o", tmp_path / "out.png")
    assert files(home) == {name}
    assert files(data) == {"plushify.db", "blobs"}
    assert files(data / "blobs" / "generations") == {result["id"]}
    assert plushify("doctor")[0] == 0


def test_two_folders_share_nothing(
    plushify: Shell, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders whose names differ after a character with a meaning in URLs have databases of their own."""
    for name in ("shop?one", "shop?two", "shop#one", "shop", "shop%20", "shop "):
        monkeypatch.setenv("PLUSHIFY_DATA_DIR", str(tmp_path / "all" / name / "data"))
        assert plushify.json("generate", photo, "-o", tmp_path / "out.png")["balance"] == 2


def test_relative_and_encoded_urls(
    plushify: Shell, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SQLite URL and a file URL may be relative, and are percent-decoded."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my data").mkdir()
    monkeypatch.setenv("PLUSHIFY_DATABASE_URL", "sqlite:///my%20data/shop%3F.db")
    monkeypatch.setenv("PLUSHIFY_STORAGE_URL", "file://my%20data/pictures%23")
    result = plushify.json("generate", photo, "-o", "out.png")
    assert files(tmp_path / "my data") == {"shop?.db", "pictures#"}
    assert files(tmp_path / "my data" / "pictures#" / "generations") == {result["id"]}
    assert not (tmp_path / "data").exists()
