"""Who asks: the session cookie of a request, and whether the request may use it."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.handlers import BaseRouteHandler
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp

from plushify_core import Unauthorized, User
from plushify_web.accounts import Accounts

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SessionCookie(msgspec.Struct, frozen=True, kw_only=True):
    """How the session token travels.

    Over https the name begins with `__Host-`, which binds the cookie to this host and https (RFC 6265bis
    section 4.1.3.2).
    """

    lifetime: timedelta
    secure: bool

    @property
    def name(self) -> str:
        """The cookie's name."""
        return "__Host-plushify_session" if self.secure else "plushify_session"

    def holding(self, token: str) -> Cookie:
        """The cookie that signs a browser in."""
        return self._cookie(token, int(self.lifetime.total_seconds()))

    def removed(self) -> Cookie:
        """The cookie that signs a browser out."""
        return self._cookie("", 0)

    def _cookie(self, value: str, max_age: int) -> Cookie:
        return Cookie(
            key=self.name, value=value, max_age=max_age, path="/", httponly=True, samesite="lax", secure=self.secure
        )


class Authentication(AbstractAuthenticationMiddleware):
    """Puts the user who is signed in, or None, into `request.user`, and the session token into `request.auth`.

    Args:
        public_url: the address of the page, if it is known.
    """

    def __init__(self, app: ASGIApp, *, accounts: Accounts, cookie: SessionCookie, public_url: str | None) -> None:
        super().__init__(app)
        self._accounts = accounts
        self._cookie = cookie
        self._public_url = public_url

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Who is signed in.

        Raises:
            Unauthorized: another site made the browser send this.
        """
        token = connection.cookies.get(self._cookie.name)
        safe = connection.scope.get("method") in SAFE_METHODS
        if not safe and not self._from_our_page(connection, with_cookie=token is not None):
            raise Unauthorized(message="This request was made by another site, so it was not carried out.")
        user = await self._accounts.holder(token) if token else None
        return AuthenticationResult(user=user, auth=token)

    def _from_our_page(self, connection: ASGIConnection[Any, Any, Any, Any], *, with_cookie: bool) -> bool:
        """Whether nobody else's page sent it: by Fetch Metadata, else by Origin. A request with neither is no
        browser's; with a cookie it is refused nevertheless.

        Source: https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
        """
        site = connection.headers.get("Sec-Fetch-Site")
        if site is not None:
            return site in {"same-origin", "none"}
        origin = connection.headers.get("Origin")
        if origin is not None:
            if self._public_url is not None:
                return origin == self._public_url.rstrip("/")
            return urlsplit(origin).netloc == connection.headers.get("Host")
        return not with_cookie


def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard for what only users may do.

    Raises:
        Unauthorized: nobody is signed in.
    """
    if connection.scope.get("user") is None:  # OPTIONS is not authenticated, and has no user at all
        raise Unauthorized


def current_user(request: Request[User, str, Any]) -> User:
    """The user who is signed in, behind the guard `signed_in`."""
    return request.user
