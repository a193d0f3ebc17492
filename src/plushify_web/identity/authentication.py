"""Authentication of requests by the session cookie, and protection against cross-site requests."""

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
from plushify_web.identity.accounts import Accounts

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SessionCookie(msgspec.Struct, frozen=True, kw_only=True):
    """Cookie that carries the session token.

    Over https its name begins with `__Host-`, which binds it to this host and to https (RFC 6265bis section 4.1.3.2).
    """

    lifetime: timedelta
    secure: bool

    @property
    def name(self) -> str:
        """Name of the cookie."""
        return "__Host-plushify_session" if self.secure else "plushify_session"

    def issue(self, token: str) -> Cookie:
        """Return the cookie that signs a browser in."""
        return self._cookie(token, int(self.lifetime.total_seconds()))

    def expire(self) -> Cookie:
        """Return the cookie that signs a browser out."""
        return self._cookie("", 0)

    def _cookie(self, value: str, max_age: int) -> Cookie:
        return Cookie(
            key=self.name, value=value, max_age=max_age, path="/", httponly=True, samesite="lax", secure=self.secure
        )


class Authentication(AbstractAuthenticationMiddleware):
    """Middleware that sets `request.user` to the signed-in user or None, and `request.auth` to the session token.

    Args:
        accounts: finds the user of a token.
        cookie: cookie that carries the token.
        public_url: public address of the page, if known.
    """

    def __init__(self, app: ASGIApp, *, accounts: Accounts, cookie: SessionCookie, public_url: str | None) -> None:
        super().__init__(app)
        self._accounts = accounts
        self._cookie = cookie
        self._public_url = public_url

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Return the signed-in user and the session token.

        Raises:
            Unauthorized: the request was sent by another site.
        """
        token = connection.cookies.get(self._cookie.name)
        safe = connection.scope.get("method") in SAFE_METHODS
        if not safe and not self._from_our_page(connection, with_cookie=token is not None):
            raise Unauthorized(message="This request was made by another site, so it was not carried out.")
        user = await self._accounts.user_by_token(token) if token else None
        return AuthenticationResult(user=user, auth=token)

    def _from_our_page(self, connection: ASGIConnection[Any, Any, Any, Any], *, with_cookie: bool) -> bool:
        """Return whether our own page, or a program, sent the request.

        Browsers send `Sec-Fetch-Site` or `Origin`. A request with neither comes from a program, unless it has a cookie:
        then an old browser may have sent it, and it is refused.

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
    """Allow only signed-in users (guard).

    Raises:
        Unauthorized: no user is signed in.
    """
    if connection.scope.get("user") is None:  # an OPTIONS request is not authenticated, so its scope has no user
        raise Unauthorized


def current_user(request: Request[User, str, Any]) -> User:
    """Return the signed-in user. The route needs the guard `signed_in`."""
    return request.user
