"""`plushify sweep`."""

from tests.web.cli.shell import Shell


def test_result_as_json(plushify: Shell) -> None:
    """With `--json`, the result is one JSON object with all counts, which are zero if there is nothing to do."""
    assert plushify.json("sweep") == {"refunded": 0, "erased": 0, "tidied": 0, "finished": 0, "expired": 0}
