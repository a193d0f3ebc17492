"""Every command with its arguments, and the form of its messages."""

ID = "01a210d5-f991-7f38-a0ce-3f1365454fe1"

COMMANDS = {
    "serve": "serve --port {port}",
    "generate": "generate {photo} -o {out}",
    "generate --fetch": f"generate --fetch {ID} -o {{out}}",
    "credits grant": "credits grant you@localhost 1 --reason more",
    "credits adjust": "credits adjust you@localhost 1 --reason more",
    "credits refund": f"credits refund {ID} --reason more",
    "credits show": "credits show you@localhost",
    "costs": "costs",
    "migrate": "migrate",
    "sweep": "sweep",
    "doctor": "doctor",
}

PRINT_RESULTS = {"generate", "credits grant", "credits adjust", "credits show", "costs", "sweep", "doctor"}
"""Commands whose results go to stdout."""


def assert_one_sentence(stderr: str, message: str = "") -> None:
    """Assert that stderr has one message, and no traceback."""
    assert "Traceback" not in stderr
    assert "Exception" not in stderr
    [sentence] = [line for line in stderr.splitlines() if line.startswith("plushify: ")]
    assert sentence == stderr.splitlines()[-1]
    assert sentence.endswith((".", "?"))
    assert message in sentence
