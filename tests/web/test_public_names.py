"""Public names of the command line."""

from plushify_web import cli
from tests.core.public_names import in_order, missing_names


def test_all_is_sorted_and_exists() -> None:
    """`__all__` is sorted, repeats no name, and lists only names that exist.

    The package imports its commands to register them, so other public names are not an error.
    """
    assert cli.__all__ == in_order(cli.__all__)
    assert missing_names(cli) == []
