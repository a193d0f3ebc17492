"""Routes of the page and its static files."""

import re

import pytest

from plushify_web.page.routes import STATIC
from tests.web.conftest import Client

pytestmark = pytest.mark.anyio


async def test_every_referenced_file_is_served(visitor: Client) -> None:
    """The page and each file that it refers to are served with their media types."""
    page = await visitor.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    named = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', page.text))
    assert named
    types = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
    for path in named:
        response = await visitor.get(path)
        assert (response.status_code, response.headers["Content-Type"]) == (200, types[path.rpartition(".")[2]]), path


async def test_an_unchanged_file_is_not_sent_again(visitor: Client) -> None:
    """Browsers revalidate each time, and get 304 while the file is unchanged."""
    for path in ("/", "/static/js/main.js"):
        first = await visitor.get(path)
        assert first.headers["Cache-Control"] == "no-cache"
        again = await visitor.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_answers_head_requests(visitor: Client) -> None:
    """HEAD on the page returns 200 without a body."""
    response = await visitor.head("/")
    assert (response.status_code, response.content) == (200, b"")


async def test_the_content_security_policy_is_strict(visitor: Client) -> None:
    """The content security policy allows no inline code, no other host and no frame."""
    headers = (await visitor.get("/")).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["img-src"] == "'self' blob: data:"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert headers["Referrer-Policy"] == "same-origin"


def test_the_page_obeys_its_content_security_policy() -> None:
    """The page has no inline scripts, styles or event handlers, which its policy would block."""
    html = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style[\s>]|\sstyle=|\son\w+=", html) == []
