"""Credits on the command line."""

import getpass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.web.cli.shell import Shell

ME = "you@localhost"


@pytest.fixture
def customer(plushify: Shell, photo: Path, tmp_path: Path) -> Shell:
    """The command line, after a photo was made a plushie: of the three free credits, two are left."""
    assert plushify("generate", photo, "-o", tmp_path / "out.png")[0] == 0
    return plushify


def test_an_operator_corrects_a_balance(customer: Shell) -> None:
    """`adjust` adds credits and, with a minus, takes them, and says how many there are now."""
    assert customer("credits", "adjust", ME, 4, "--reason", "a gift")[1] == f"{ME}: 4 credits added, 6 now.\n"
    assert customer("credits", "adjust", ME, -1, "--reason", "sorry")[1] == f"{ME}: 1 credit taken, 5 now.\n"
    assert customer.json("credits", "adjust", ME, -5, "--reason", "all of it") == {
        "email": ME,
        "adjusted": -5,
        "balance": 0,
    }


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        ((ME, -3, "--reason", "x"), 1, f"plushify: {ME} has 2 credits: 3 cannot be taken."),
        ((ME, 0, "--reason", "x"), 1, "plushify: Nothing to correct"),
        ((ME, 1, "--reason", " "), 1, "plushify: Say why the credits are moved"),
        ((ME, 1), 2, "--reason"),
        ((ME, "many", "--reason", "x"), 2, "Invalid value"),
        ((ME, 1, "--reason", "x", "--loudly"), 2, "--loudly"),
    ],
)
def test_what_cannot_be_corrected(customer: Shell, arguments: tuple[object, ...], exit_code: int, message: str) -> None:
    """No balance goes below zero, nothing is posted without a reason, and no option is guessed at."""
    found, out, err = customer("credits", "adjust", *arguments)
    assert (found, out) == (exit_code, "")
    assert message in err
    assert customer.json("credits", "show", ME)["balance"] == 2


def test_the_statement_explains_the_balance(customer: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """`show` lists who moved credits when and why, the balance behind each entry, and when it expires."""
    monkeypatch.setenv("PLUSHIFY_CREDITS_EXPIRE_DAYS", "90")
    customer("credits", "grant", ME, 5, "--reason", "[bold]spring[/bold]")
    customer("credits", "adjust", ME, -6, "--reason", "granted twice")

    operator = f"operator {getpass.getuser()}"
    shown = customer.json("credits", "show", ME)
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

    head, _, *table = customer("credits", "show", ME, "--limit", 3)[1].splitlines()
    assert head == f"{ME} has 1 credit."
    assert table[0].split() == ["Time", "(UTC)", "Kind", "Credits", "Balance", "Expires", "Reason", "By"]
    expires = granted["expiresAt"][:10]
    assert [line.split()[2:] for line in table[1:]] == [
        ["adjust", "-6", "1", "granted", "twice", *operator.split()],
        ["grant", "+5", "7", expires, "[bold]spring[/bold]", *operator.split()],
        ["consume", "-1", "2", "classic,", "standard", "the", "user"],
    ]


def test_credits_are_counted_in_plain_english(customer: Shell) -> None:
    """One credit is a credit."""
    assert customer("credits", "grant", "You@localhost", 1, "--reason", "x")[1] == f"{ME} got 1 credit and has 3 now.\n"
    assert customer("credits", "show", ME)[1].splitlines()[0] == f"{ME} has 3 credits."
