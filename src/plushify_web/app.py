"""The HTTP application: routes, and what holds for all of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from litestar import Litestar, Router
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, Message, Scope

from plushify_core import Catalog, CreditsUseCase, GalleryUseCase, GenerateUseCase, Limits
from plushify_core.ports import Capabilities
from plushify_web import page
from plushify_web.accounts import Accounts
from plushify_web.auth import Authentication, SessionCookie, current_user
from plushify_web.catalog import CatalogController
from plushify_web.container import Container
from plushify_web.credits import CreditsController
from plushify_web.generations import FORM_MAX_PARTS, FORM_OVERHEAD_BYTES, GenerationsController
from plushify_web.health import HealthChecks, HealthController
from plushify_web.logs import configure_logging
from plushify_web.pictures import PicturesController
from plushify_web.problems import EXCEPTION_HANDLERS
from plushify_web.runner import Runner
from plushify_web.sessions import SessionsController
from plushify_web.settings import Settings
from plushify_web.signals import when_told_to_stop

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
    """The application, wired by this container; by the environment when it is left out.

    Raises:
        SettingsError: a setting is wrong.
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
        route_handlers=[api, HealthController, page.index, page.asset],
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
    """What every response carries, whoever made it."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        if scope["path"].startswith("/api/"):
            headers.setdefault("Cache-Control", "private, no-store")
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)


@asynccontextmanager
async def _lifespan(container: Container, _: Litestar) -> AsyncIterator[None]:
    runner = container.runner()
    async with container.closing(), runner.running(), container.preflight().logged():
        with when_told_to_stop(runner.stop):
            yield


def _dependencies(container: Container) -> dict[str, Provide]:
    """What the handlers can ask for by name. Litestar reads the annotations, so these are plain functions."""

    def accounts() -> Accounts:
        return container.accounts()

    def catalog() -> Catalog:
        return container.catalog()

    def checks() -> HealthChecks:
        return container.checks()

    def cookie() -> SessionCookie:
        return container.cookie()

    def credits() -> CreditsUseCase:
        return container.credits()

    def gallery() -> GalleryUseCase:
        return container.gallery()

    def generate() -> GenerateUseCase:
        return container.generate()

    def limits() -> Limits:
        return settings().limits

    def runner() -> Runner:
        return container.runner()

    def settings() -> Settings:
        return container.settings()

    async def capabilities() -> Capabilities:
        return await container.model().capabilities()

    made = (accounts, catalog, checks, cookie, credits, gallery, generate, limits, runner, settings)
    return {
        **{provider.__name__: Provide(provider, sync_to_thread=False) for provider in made},
        "capabilities": Provide(capabilities),
        "user": Provide(current_user, sync_to_thread=False),
    }
