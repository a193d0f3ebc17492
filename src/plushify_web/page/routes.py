"""The page and what it is made of: files of this package, and nothing from other hosts."""

import hashlib
import mimetypes
from pathlib import Path
from typing import Any

from litestar import HttpMethod, Request, Response, route
from litestar.params import FromPath

from plushify_core import NotFound
from plushify_web.api.headers import matches

STATIC = Path(__file__).parent / "static"

_FILES = {"/" + file.relative_to(STATIC).as_posix(): file for file in STATIC.rglob("*") if file.is_file()}
"""What is served, by its path. Only what is listed here: no path leads out of the folder."""

_MEDIA_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
"""Those a system's own table may not know, or know wrongly."""


@route("/", http_method=[HttpMethod.GET, HttpMethod.HEAD], include_in_schema=False, sync_to_thread=True)
def index(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The page."""
    return _file(request, _FILES["/index.html"])


@route(
    "/static/{path:path}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    include_in_schema=False,
    sync_to_thread=True,
)
def asset(request: Request[Any, Any, Any], path: FromPath[Path]) -> Response[bytes]:
    """A part of the page."""
    file = _FILES.get(path.as_posix())
    if file is None:
        raise NotFound
    return _file(request, file)


def _file(request: Request[Any, Any, Any], file: Path) -> Response[bytes]:
    data = file.read_bytes()
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    # Asked for again each time: the files have no version in their names.
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if matches(request, etag):
        return Response(b"", status_code=304, headers=headers)
    media_type = _MEDIA_TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Response(data, media_type=media_type, headers=headers)
