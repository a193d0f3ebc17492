"""What the README shows is true."""

import contextlib
import io
import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_example_prints_what_it_says() -> None:
    """The Python example runs as it stands, and prints the text below it."""
    examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(examples) == 1
    for program, expected in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(program, str(README), "exec"), {"__name__": "readme"})
        assert printed.getvalue() == expected


def test_the_documents_it_names_are_there() -> None:
    """No link of the README leads nowhere."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text())
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
