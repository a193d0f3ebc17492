"""HTTP application: its routes, and the behaviour shared by all of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, Message, Scope

from plushify_web.api.catalog import CatalogController
from plushify_web.api.credits import CreditsController
from plushify_web.api.generations import FORM_MAX_PARTS, FORM_OVERHEAD_BYTES, GenerationsController
from plushify_web.api.health import HealthController
from plushify_web.api.pictures import PicturesController
from plushify_web.api.problems import EXCEPTION_HANDLERS
from plushify_web.api.sessions import SessionsController, client_session
from plushify_web.container import Container
from plushify_web.identity.authentication import Authentication, current_user
from plushify_web.logs import configure_logging
from plushify_web.page.routes import asset, index
from plushify_web.shutdown import on_shutdown_signal

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Source: https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html"""


def create_app(container: Container | None = None) -> Litestar:
    """Return the application.

    Args:
        container: the objects to use. By default they are made from the environment.

    Raises:
        SettingsError: a setting is invalid.
    """
    container = container or Container()
    settings = container.settings()
    configure_logging(settings.log)

    def authentication(app: ASGIApp) -> ASGIApp:
        return Authentication(
            app, accounts=container.accounts(), cookie=container.cookie(), public_url=settings.public_url
        )

    api = Router(
        "/api",
        route_handlers=[
            SessionsController,
            CatalogController,
            GenerationsController,
            PicturesController,
            CreditsController,
        ],
        middleware=[authentication],
    )
    return Litestar(
        route_handlers=[api, HealthController, index, asset],
        dependencies=_dependencies(container),
        exception_handlers=EXCEPTION_HANDLERS,
        before_send=[add_security_headers],
        lifespan=[partial(_lifespan, container)],
        multipart_form_part_limit=FORM_MAX_PARTS,
        request_max_body_size=settings.max_upload_bytes + FORM_OVERHEAD_BYTES,
        openapi_config=OpenAPIConfig(
            title="Plushify",
            version=version("plushify"),
            description="Turns a photo into a picture of a plushie.",
            render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
            use_handler_docstrings=True,
        ),
        logging_config=None,
    )


async def add_security_headers(message: Message, scope: Scope) -> None:
    """Add the headers that every response has."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        if scope["path"].startswith("/api/"):
            headers.setdefault("Cache-Control", "private, no-store")
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)


@asynccontextmanager
async def _lifespan(container: Container, _: Litestar) -> AsyncIterator[None]:
    plushify, accounts = container.plushify(), container.accounts()
    async with (
        container.closing(),
        plushify.running(accounts.remove_expired_sessions),
        container.preflight().logged(),
    ):
        with on_shutdown_signal(plushify.runner.stop):
            yield


def _dependencies(container: Container) -> dict[str, Provide]:
    """Return the dependencies of the handlers by the names of their parameters."""
    plushify = container.plushify()
    singletons = {
        "accounts": container.accounts(),
        "catalog": plushify.catalog,
        "cookie": container.cookie(),
        "credits": plushify.credits,
        "gallery": plushify.gallery,
        "generate": plushify.generate,
        "limits": plushify.limits,
        "readiness_checks": container.readiness_checks(),
        "runner": plushify.runner,
        "settings": container.settings(),
    }
    return {
        **{name: _provide(value) for name, value in singletons.items()},
        "capabilities": Provide(plushify.model.capabilities),
        "session": Provide(client_session, sync_to_thread=False),
        "user": Provide(current_user, sync_to_thread=False),
    }


def _provide(value: object) -> Provide:
    def provided() -> Any:
        return value

    return Provide(provided, sync_to_thread=False)
