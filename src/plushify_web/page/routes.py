"""Routes of the web page and its static files. Every file is part of this package."""

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
"""Served files by URL path. Only listed files are served, so no path can leave the folder."""

_MEDIA_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
"""Media types that the table of the operating system may lack or have wrong."""


@route("/", http_method=[HttpMethod.GET, HttpMethod.HEAD], include_in_schema=False, sync_to_thread=True)
def index(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Return the page."""
    return _file(request, _FILES["/index.html"])


@route(
    "/static/{path:path}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    include_in_schema=False,
    sync_to_thread=True,
)
def asset(request: Request[Any, Any, Any], path: FromPath[Path]) -> Response[bytes]:
    """Return a static file of the page."""
    file = _FILES.get(path.as_posix())
    if file is None:
        raise NotFound
    return _file(request, file)


def _file(request: Request[Any, Any, Any], file: Path) -> Response[bytes]:
    data = file.read_bytes()
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    # Browsers revalidate each time, because the names of the files contain no version.
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if matches(request, etag):
        return Response(b"", status_code=304, headers=headers)
    media_type = _MEDIA_TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Response(data, media_type=media_type, headers=headers)
