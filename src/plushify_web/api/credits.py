"""Credits resource: balance and ledger entries of the signed-in user."""

from litestar import Controller, get
from litestar.di import NamedDependency

from plushify_core import CreditsUseCase, User
from plushify_web.api.pagination import Cursor, Limit, parse_cursor
from plushify_web.api.problems import problem_responses
from plushify_web.api.schemas import CreditsBody, EntriesBody, EntryBody
from plushify_web.identity.authentication import signed_in


class CreditsController(Controller):
    """Credits of the signed-in user."""

    path = "/credits"
    tags = ("credits",)
    guards = (signed_in,)

    @get(operation_id="getCredits", summary="Return my plan and balance", responses=problem_responses(401))
    async def show(self, user: NamedDependency[User], credits: NamedDependency[CreditsUseCase]) -> CreditsBody:
        """Return the plan of the signed-in user, and the balance in credits."""
        subscription = await credits.ensure_subscription(user.id)
        return CreditsBody.of(subscription)

    @get(
        "/entries",
        operation_id="listCreditEntries",
        summary="List my ledger entries",
        responses=problem_responses(400, 401),
    )
    async def entries(
        self,
        user: NamedDependency[User],
        credits: NamedDependency[CreditsUseCase],
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> EntriesBody:
        """Return a page of the ledger entries of the signed-in user, newest first (keyset pagination)."""
        page = await credits.statement(user.id, cursor=parse_cursor(cursor), limit=limit)
        return EntriesBody(items=[EntryBody.of(entry) for entry in page.items], next_cursor=page.next_cursor)
