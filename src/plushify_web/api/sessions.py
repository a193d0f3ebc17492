"""Accounts and session resources: sign up, sign in, sign out."""

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

SessionRequest = Request[User | None, str | None, Any]
"""Request with the signed-in user, if any, as `user` and the session token as `auth`."""


class SessionsController(Controller):
    """Accounts and sessions."""

    tags = ("account",)
    request_max_body_size = MAX_BODY_BYTES

    @post("/accounts", operation_id="signUp", summary="Sign up", responses=problem_responses(400, 413, 422))
    async def sign_up(
        self,
        data: JSONBody[Credentials],
        request: SessionRequest,
        accounts: NamedDependency[Accounts],
        cookie: NamedDependency[SessionCookie],
    ) -> Response[SessionBody]:
        """Create an account with the free credits, and sign in to it."""
        return await _sign_in(await accounts.sign_up(data.email, data.password), request, accounts, cookie)

    @post(
        "/session",
        operation_id="signIn",
        summary="Sign in",
        status_code=200,
        responses=problem_responses(400, 401, 413),
    )
    async def sign_in(
        self,
        data: JSONBody[Credentials],
        request: SessionRequest,
        accounts: NamedDependency[Accounts],
        cookie: NamedDependency[SessionCookie],
    ) -> Response[SessionBody]:
        """Sign in. The response sets the session cookie."""
        return await _sign_in(await accounts.sign_in(data.email, data.password), request, accounts, cookie)

    @get("/session", operation_id="getSession", summary="Return my session")
    async def show(self, request: SessionRequest) -> Response[SessionBody]:
        """Return the signed-in user, or null if no user is signed in."""
        return _response(request.user)

    @delete("/session", operation_id="signOut", summary="Sign out", responses=problem_responses(401))
    async def sign_out(
        self,
        request: SessionRequest,
        accounts: NamedDependency[Accounts],
        cookie: NamedDependency[SessionCookie],
    ) -> Response[None]:
        """Close the session and remove its cookie. Without a session this only removes the cookie."""
        if request.auth:
            await accounts.close_session(request.auth)
        return Response(None, status_code=204, cookies=[cookie.expire()])


async def _sign_in(
    user: User, request: SessionRequest, accounts: Accounts, cookie: SessionCookie
) -> Response[SessionBody]:
    """Open a session of the user, and close the previous session of this client."""
    if request.auth:
        await accounts.close_session(request.auth)
    token = await accounts.open_session(user)
    return _response(user, cookie.issue(token))


def _response(user: User | None, *cookies: Cookie) -> Response[SessionBody]:
    return Response(SessionBody.of(user), cookies=cookies, headers={"Cache-Control": "no-store"})
