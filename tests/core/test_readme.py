"""The README: its example and its links."""

import contextlib
import io
import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_example_prints_its_output() -> None:
    """The Python example of the README runs, and prints the text below it."""
    examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(examples) == 1
    for program, expected in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(program, str(README), "exec"), {"__name__": "readme"})
        assert printed.getvalue() == expected


def test_local_links_exist() -> None:
    """Every local link of the README leads to a file or folder."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text())
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
