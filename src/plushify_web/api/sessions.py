"""Accounts and session resources: sign up, sign in, sign out."""

from dataclasses import dataclass
from typing import Any

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody

from plushify_core import User
from plushify_web.api.problems import problem_responses
from plushify_web.api.schemas import Credentials, SessionBody
from plushify_web.identity.accounts import Accounts
from plushify_web.identity.authentication import SessionCookie

MAX_BODY_BYTES = 16 * 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class ClientSession:
    """Session of the client that sent the request.

    Args:
        user: the signed-in user, if any.
        token: the session token, if the client sent one.
        accounts: opens and closes sessions.
        cookie: cookie that carries the token.
    """

    user: User | None
    token: str | None
    accounts: Accounts
    cookie: SessionCookie

    def show(self) -> Response[SessionBody]:
        """Return the response with the signed-in user."""
        return self._response(self.user)

    async def open(self, user: User) -> Response[SessionBody]:
        """Close the current session, open a session of this user, and return the response that signs the client in."""
        await self._close()
        token = await self.accounts.open_session(user)
        return self._response(user, self.cookie.issue(token))

    async def close(self) -> Response[None]:
        """Close the current session, and return the response that signs the client out."""
        await self._close()
        return Response(None, status_code=204, cookies=[self.cookie.expire()])

    async def _close(self) -> None:
        if self.token:
            await self.accounts.close_session(self.token)

    def _response(self, user: User | None, *cookies: Cookie) -> Response[SessionBody]:
        return Response(SessionBody.of(user), cookies=cookies, headers={"Cache-Control": "no-store"})


def client_session(
    request: Request[User | None, str | None, Any],
    accounts: NamedDependency[Accounts],
    cookie: NamedDependency[SessionCookie],
) -> ClientSession:
    """Return the session of the client that sent this request."""
    return ClientSession(user=request.user, token=request.auth, accounts=accounts, cookie=cookie)


class SessionsController(Controller):
    """Accounts and sessions."""

    tags = ("account",)
    request_max_body_size = MAX_BODY_BYTES

    @post("/accounts", operation_id="signUp", summary="Sign up", responses=problem_responses(400, 413, 422))
    async def sign_up(
        self, data: JSONBody[Credentials], accounts: NamedDependency[Accounts], session: NamedDependency[ClientSession]
    ) -> Response[SessionBody]:
        """Create an account with the free credits, and sign in to it."""
        return await session.open(await accounts.sign_up(data.email, data.password))

    @post(
        "/session",
        operation_id="signIn",
        summary="Sign in",
        status_code=200,
        responses=problem_responses(400, 401, 413),
    )
    async def sign_in(
        self, data: JSONBody[Credentials], accounts: NamedDependency[Accounts], session: NamedDependency[ClientSession]
    ) -> Response[SessionBody]:
        """Sign in. The response sets the session cookie."""
        return await session.open(await accounts.sign_in(data.email, data.password))

    @get("/session", operation_id="getSession", summary="Return my session")
    async def show(self, session: NamedDependency[ClientSession]) -> Response[SessionBody]:
        """Return the signed-in user, or null if no user is signed in."""
        return session.show()

    @delete("/session", operation_id="signOut", summary="Sign out", responses=problem_responses(401))
    async def sign_out(self, session: NamedDependency[ClientSession]) -> Response[None]:
        """Close the session and remove its cookie. Without a session this only removes the cookie."""
        return await session.close()
