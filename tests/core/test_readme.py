"""The README shows what the code does."""

import contextlib
import io
import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_examples_print_the_text_below_them() -> None:
    """The Python examples run in order as one program, and each prints the text below it."""
    markdown = README.read_text("utf-8")
    examples = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", markdown, re.DOTALL)
    assert len(examples) == markdown.count("```python\n") == 2
    namespace = {"__name__": "readme"}
    for program, expected in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(program, str(README), "exec"), namespace)
        assert printed.getvalue() == expected


def test_the_linked_documents_exist() -> None:
    """Every relative link of the README leads to a file or folder."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text("utf-8"))
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
