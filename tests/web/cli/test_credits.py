"""`plushify credits`."""

import getpass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.web.cli.shell import Shell

EMAIL = "you@localhost"
"""Account that `plushify generate` charges by default."""


@pytest.fixture
def customer(plushify: Shell, photo: Path, tmp_path: Path) -> Shell:
    """Make a plushie, which leaves two of the three free credits, and return the command line."""
    assert plushify("generate", photo, "-o", tmp_path / "out.png")[0] == 0
    return plushify


def test_adjust_corrects_a_balance(customer: Shell) -> None:
    """`adjust` adds credits or, with a minus, takes them, and prints the new balance."""
    assert customer("credits", "adjust", EMAIL, 4, "--reason", "a gift")[1] == f"{EMAIL}: 4 credits added, 6 now.\n"
    assert customer("credits", "adjust", EMAIL, -1, "--reason", "sorry")[1] == f"{EMAIL}: 1 credit taken, 5 now.\n"
    assert customer.json("credits", "adjust", EMAIL, -5, "--reason", "all of it") == {
        "email": EMAIL,
        "adjusted": -5,
        "balance": 0,
    }


def test_grant_and_show_as_json(customer: Shell) -> None:
    """With `--json`, `grant` and `show` print their results as JSON."""
    assert customer.json("credits", "grant", EMAIL, 5, "--reason", "a gift") == {
        "email": EMAIL,
        "granted": 5,
        "new": True,
        "balance": 7,
    }
    shown = customer.json("credits", "show", EMAIL)
    assert shown["balance"] == 7
    assert [(entry["kind"], entry["amount"]) for entry in shown["entries"]] == [
        ("grant", 5),
        ("consume", -1),
        ("grant", 3),
    ]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        ((EMAIL, -3, "--reason", "x"), 1, f"plushify: {EMAIL} has 2 credits: 3 cannot be taken."),
        ((EMAIL, 0, "--reason", "x"), 1, "plushify: Nothing to correct"),
        ((EMAIL, 1, "--reason", " "), 1, "plushify: Say why the credits are moved"),
        ((EMAIL, 1), 2, "--reason"),
        ((EMAIL, "many", "--reason", "x"), 2, "Invalid value"),
        ((EMAIL, 1, "--reason", "x", "--loudly"), 2, "--loudly"),
    ],
)
def test_adjust_refuses_invalid_input(
    customer: Shell, arguments: tuple[object, ...], exit_code: int, message: str
) -> None:
    """`adjust` refuses a negative balance, a missing reason, zero credits and unknown options, and changes nothing."""
    found, out, err = customer("credits", "adjust", *arguments)
    assert (found, out) == (exit_code, "")
    assert message in err
    assert customer.json("credits", "show", EMAIL)["balance"] == 2


def test_show_lists_ledger_entries(customer: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """`show` lists each entry with its time, kind, amount, balance, expiry, reason and actor."""
    monkeypatch.setenv("PLUSHIFY_CREDITS_EXPIRE_DAYS", "90")
    customer("credits", "grant", EMAIL, 5, "--reason", "[bold]spring[/bold]")
    customer("credits", "adjust", EMAIL, -6, "--reason", "granted twice")

    operator = f"operator {getpass.getuser()}"
    shown = customer.json("credits", "show", EMAIL)
    lines = [(line["kind"], line["amount"], line["balance"], line["reason"]) for line in shown["entries"]]
    assert lines == [
        ("adjust", -6, 1, "granted twice"),
        ("grant", 5, 7, "[bold]spring[/bold]"),
        ("consume", -1, 2, "classic, standard"),
        ("grant", 3, 3, "free credits"),
    ]
    assert shown["entries"][0]["actor"] == operator
    granted = shown["entries"][1]
    lifetime = datetime.fromisoformat(granted["expiresAt"]) - datetime.fromisoformat(granted["createdAt"])
    assert lifetime == timedelta(days=90)

    head, _, *table = customer("credits", "show", EMAIL, "--limit", 3)[1].splitlines()
    assert head == f"{EMAIL} has 1 credit."
    assert table[0].split() == ["Time", "(UTC)", "Kind", "Credits", "Balance", "Expires", "Reason", "By"]
    expires = granted["expiresAt"][:10]
    assert [line.split()[2:] for line in table[1:]] == [
        ["adjust", "-6", "1", "granted", "twice", *operator.split()],
        ["grant", "+5", "7", expires, "[bold]spring[/bold]", *operator.split()],
        ["consume", "-1", "2", "classic,", "standard", "the", "user"],
    ]


def test_the_singular_of_credits(customer: Shell) -> None:
    """One credit is printed in the singular."""
    granted = customer("credits", "grant", "You@localhost", 1, "--reason", "x")[1]
    assert granted == f"{EMAIL} got 1 credit and has 3 now.\n"
    assert customer("credits", "show", EMAIL)[1].splitlines()[0] == f"{EMAIL} has 3 credits."


@pytest.mark.parametrize(
    ("setting", "value"), [("PLUSHIFY_CATALOG", "/does/not/exist.toml"), ("PLUSHIFY_STORAGE_URL", "unknown://x/y")]
)
def test_needs_neither_the_catalog_nor_the_storage(
    customer: Shell, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    """Credits can be shown and granted while the catalog or the storage is broken."""
    monkeypatch.setenv(setting, value)
    assert customer.json("credits", "show", EMAIL)["balance"] == 2
    assert customer.json("credits", "grant", EMAIL, 1, "--reason", "a gift")["balance"] == 3
    assert customer.json("costs")["days"] == 7


def test_grant_with_a_key(customer: Shell) -> None:
    """A grant that is repeated with its key says so and grants nothing. Another amount is refused."""
    grant = ("credits", "grant", EMAIL, 4, "--reason", "bought", "--key", "order-1")
    assert customer(*grant) == (0, f"{EMAIL} got 4 credits and has 6 now.\n", "")
    assert customer(*grant) == (0, f"Already granted: {EMAIL} got 4 credits earlier, and has 6 now.\n", "")
    assert customer.json(*grant) == {"email": EMAIL, "granted": 4, "new": False, "balance": 6}

    exit_code, out, err = customer("credits", "grant", EMAIL, 5, "--reason", "bought", "--key", "order-1")
    assert (exit_code, out) == (1, "")
    assert "This idempotency key was used for another request." in err
    exit_code, _, err = customer("credits", "grant", EMAIL, 5, "--reason", "bought", "--key", "")
    assert (exit_code, err) == (1, "plushify: An idempotency key has 1 to 255 visible characters.\n")
    assert customer.json("credits", "show", EMAIL)["balance"] == 6


def test_refund(customer: Shell) -> None:
    """`refund` refunds a picture once, and the doctor agrees."""
    generation_id = customer.json("credits", "show", EMAIL)["entries"][0]["generationId"]
    refund = ("credits", "refund", generation_id, "--reason", "blurred")
    assert customer(*refund) == (0, f"{EMAIL} got 1 credit back and has 3 now.\n", "")
    assert customer(*refund) == (0, f"Already refunded: {EMAIL} got 1 credit back earlier, and has 3 now.\n", "")
    assert customer.json(*refund) == {
        "generationId": generation_id,
        "account": EMAIL,
        "refunded": 1,
        "new": False,
        "balance": 3,
    }
    entry = customer.json("credits", "show", EMAIL)["entries"][0]
    assert (entry["kind"], entry["amount"], entry["reason"]) == ("refund", 1, "blurred")
    assert entry["actor"] == f"operator {getpass.getuser()}"
    assert customer("doctor")[0] == 0


def test_refund_refuses_unknown_generations(customer: Shell) -> None:
    """`refund` of an unknown generation is refused with a sentence that names it, and so is text that is no id."""
    unknown = "01a2055b-8de5-70fc-9258-38a374057069"
    assert customer("credits", "refund", unknown, "--reason", "x") == (
        1,
        "",
        f"plushify: Nobody was charged for a generation {unknown}.\n",
    )
    exit_code, out, err = customer("credits", "refund", "cat.jpg", "--reason", "x")
    assert (exit_code, out) == (2, "")
    assert "Invalid value for 'GENERATION'" in err
