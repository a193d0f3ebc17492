"""Commands `plushify credits`: credits of accounts, and the reasons for them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from plushify_web.cli.runtime import find_account, run
from plushify_web.cli.terminal import Json, counted, print_json, print_table

if TYPE_CHECKING:
    from plushify_core import LedgerEntry, Posted, Subscription, User
    from plushify_web.container import Container

credits_app = typer.Typer(help="Grant, refund, correct and show the credits of an account.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Email address of the account.")]
ReasonText = Annotated[str, typer.Option(help="Reason, as shown in the statement.")]


@credits_app.command()
def grant(
    email: Email,
    amount: Annotated[int, typer.Argument(metavar="N", help="Number of credits, at least 1.", min=1)],
    reason: ReasonText,
    key: Annotated[
        str | None,
        typer.Option(help="Idempotency key, such as an order number. Repeated with it, the command grants once."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Grant credits to an account."""

    async def post(container: "Container") -> "tuple[User, Posted]":
        user = await find_account(container, email)
        return user, await container.credits().add_credits(
            user.id, amount, reason=reason, actor=_operator(), idempotency_key=key
        )

    user, posted = run(post)
    balance = posted.subscription.balance
    if as_json:
        print_json({"email": user.email, "granted": amount, "new": posted.new, "balance": balance})
    elif posted.new:
        typer.echo(f"{user.email} got {counted(amount, 'credit')} and has {balance} now.")
    else:
        typer.echo(f"Already granted: {user.email} got {counted(amount, 'credit')} earlier, and has {balance} now.")


@credits_app.command()
def refund(
    generation: Annotated[UUID, typer.Argument(metavar="GENERATION", help="Id of the generation.")],
    reason: ReasonText,
    as_json: Json = False,
) -> None:
    """Refund a generation, at most once."""
    from plushify_core import NotFound

    async def post(container: "Container") -> "tuple[str, Posted]":
        credits = container.credits()
        try:
            user_id = await credits.payer_of(generation)
        except NotFound as error:
            raise NotFound(message=f"Nobody was charged for a generation {generation}.") from error
        posted = await credits.refund_generation(user_id, generation, reason=reason, actor=_operator())
        user = await container.account_store().get(user_id)
        return user.email if user else user_id, posted

    payer, posted = run(post)
    balance = posted.subscription.balance
    if as_json:
        print_json(
            {
                "generationId": generation,
                "account": payer,
                "refunded": posted.amount,
                "new": posted.new,
                "balance": balance,
            }
        )
    elif posted.new:
        typer.echo(f"{payer} got {counted(posted.amount, 'credit')} back and has {balance} now.")
    else:
        typer.echo(
            f"Already refunded: {payer} got {counted(posted.amount, 'credit')} back earlier, and has {balance} now."
        )


# Without this setting, a number that begins with a minus is parsed as an option.
@credits_app.command(context_settings={"ignore_unknown_options": True})
def adjust(
    email: Email,
    amount: Annotated[int, typer.Argument(metavar="N", help="Number of credits to add, or, with a minus, to take.")],
    reason: ReasonText,
    as_json: Json = False,
) -> None:
    """Correct the balance of an account."""
    from plushify_core import InsufficientCredits, InvalidInput

    if amount == 0:
        raise InvalidInput(message="Nothing to correct: N is how many credits to add, or, with a minus, to take.")

    async def post(container: "Container") -> "tuple[User, Subscription]":
        user = await find_account(container, email)
        try:
            subscription = await container.credits().adjust_credits(user.id, amount, reason=reason, actor=_operator())
        except InsufficientCredits as error:
            balance = (await container.credits().ensure_subscription(user.id)).balance
            raise InsufficientCredits(
                message=f"{user.email} has {counted(balance, 'credit')}: {-amount} cannot be taken."
            ) from error
        return user, subscription

    user, subscription = run(post)
    if as_json:
        print_json({"email": user.email, "adjusted": amount, "balance": subscription.balance})
    else:
        change = f"{counted(abs(amount), 'credit')} {'added' if amount > 0 else 'taken'}"
        typer.echo(f"{user.email}: {change}, {subscription.balance} now.")


@credits_app.command()
def show(
    email: Email,
    limit: Annotated[int, typer.Option(help="Maximum number of entries.", min=1, max=100)] = 20,
    as_json: Json = False,
) -> None:
    """Show the balance of an account and its latest ledger entries, each with the balance after it."""

    async def read(container: "Container") -> "tuple[User, Subscription, list[dict[str, Any]]]":
        user = await find_account(container, email)
        subscription = await container.credits().ensure_subscription(user.id)
        statement = await container.credits().statement(user.id, limit=limit)
        balance, lines = subscription.balance, []
        for entry in statement.items:
            lines.append(_line(entry, balance))
            balance -= entry.amount
        return user, subscription, lines

    user, subscription, lines = run(read)
    if as_json:
        plan, balance = subscription.plan, subscription.balance
        print_json({"email": user.email, "plan": plan, "balance": balance, "entries": lines})
        return
    typer.echo(f"{user.email} has {counted(subscription.balance, 'credit')}.\n")
    rows = [
        (
            f"{line['createdAt']:%Y-%m-%d %H:%M}",
            line["kind"],
            f"{line['amount']:+}",
            str(line["balance"]),
            f"{line['expiresAt']:%Y-%m-%d}" if line["expiresAt"] else "",
            line["reason"],
            "the user" if line["actor"] == user.id else line["actor"],
        )
        for line in lines
    ]
    headings = ("Time (UTC)", "Kind", "Credits", "Balance", "Expires", "Reason", "By")
    print_table(headings, rows, numbers=("Credits", "Balance"))


def _line(entry: "LedgerEntry", balance: int) -> "dict[str, Any]":
    return {
        "id": entry.id,
        "createdAt": _utc(entry.created_at),
        "kind": entry.kind,
        "amount": entry.amount,
        "balance": balance,
        "expiresAt": _utc(entry.expires_at) if entry.expires_at else None,
        "reason": entry.reason,
        "actor": entry.actor,
        "generationId": entry.generation_id,
    }


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


def _operator() -> str:
    import getpass
    import os

    try:
        return f"operator {getpass.getuser()}"
    except (KeyError, OSError, ImportError):  # in a container, a user id often has no name
        return f"operator with the user id {os.getuid()}"
