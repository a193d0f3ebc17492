"""The settings, read from the environment."""

from pathlib import Path

import pytest

from plushify_core import DEFAULT_CATALOG, Limits
from plushify_web.settings import SETTINGS, Settings, SettingsError, load_catalog, load_settings


def test_nothing_needs_to_be_set() -> None:
    """An empty environment, or empty variables, give the defaults."""
    assert load_settings({}) == Settings()
    assert load_settings(dict.fromkeys(SETTINGS, "") | {"PATH": "/bin"}) == Settings()


def test_values_are_read() -> None:
    """Each kind of value is read from its text."""
    settings = load_settings(
        {
            "PLUSHIFY_DATA_DIR": "/srv/plushify",
            "PLUSHIFY_STORAGE_OPTIONS": '{"endpoint_url": "http://127.0.0.1:8333"}',
            "PLUSHIFY_GENERATION_TIMEOUT_S": "2.5",
            "PLUSHIFY_FREE_CREDITS": "0",
            "PLUSHIFY_LOG": "json",
            "PLUSHIFY_OPENROUTER_FALLBACK_MODELS": "maker/one, maker/two",
            "PLUSHIFY_OPENROUTER_ZDR": "true",
            "PLUSHIFY_CREDITS_EXPIRE_DAYS": "90",
            "PLUSHIFY_DAILY_SPEND_LIMIT_USD": "2.35",
        }
    )
    assert settings == Settings(
        data_dir=Path("/srv/plushify"),
        storage_options={"endpoint_url": "http://127.0.0.1:8333"},
        generation_timeout_s=2.5,
        free_credits=0,
        log="json",
        openrouter_fallback_models=("maker/one", "maker/two"),
        openrouter_zdr=True,
        credits_expire_days=90,
        daily_spend_limit_usd=2.35,
    )
    assert settings.limits == Limits(
        timeout_s=2.5, free_credits=0, credits_expire_days=90, daily_spend_nano_usd=2_350_000_000
    )


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("PLUSHIFY_MAX_UPLOAD_BYTES", "10MB", "PLUSHIFY_MAX_UPLOAD_BYTES takes a whole number of bytes, 1 or more."),
        ("PLUSHIFY_MAX_PIXELS", "0", "PLUSHIFY_MAX_PIXELS takes a whole number of pixels, 4 or more."),
        ("PLUSHIFY_GENERATION_TIMEOUT_S", "nan", "PLUSHIFY_GENERATION_TIMEOUT_S takes seconds, 1 to 3600."),
        ("PLUSHIFY_MODEL", "dall-e", "PLUSHIFY_MODEL takes openrouter or felt."),
        ("PLUSHIFY_STORAGE_OPTIONS", "[1]", "PLUSHIFY_STORAGE_OPTIONS takes a JSON object."),
        ("PLUSHIFY_STORAGE_OPTIONS", "{", "PLUSHIFY_STORAGE_OPTIONS takes a JSON object."),
        ("PLUSHIFY_BUY_CREDITS_URL", "javascript:alert()", "PLUSHIFY_BUY_CREDITS_URL takes an http(s) URL."),
        ("PLUSHIFY_FREE_CREDIT", "3", "PLUSHIFY_FREE_CREDIT is not a setting; did you mean PLUSHIFY_FREE_CREDITS?"),
        ("PLUSHIFY_COLOUR", "red", "PLUSHIFY_COLOUR is not a setting."),
        (
            "PLUSHIFY_CREDITS_EXPIRE_DAYS",
            "0",
            "PLUSHIFY_CREDITS_EXPIRE_DAYS takes a whole number of days, 1 to 36500.",
        ),
        (
            "PLUSHIFY_DAILY_SPEND_LIMIT_USD",
            "$5",
            "PLUSHIFY_DAILY_SPEND_LIMIT_USD takes US dollars, such as 25 or 2.50, up to 1000000.",
        ),
        (
            "PLUSHIFY_OPENROUTER_FALLBACK_MODELS",
            "maker/one,,maker/two",
            "PLUSHIFY_OPENROUTER_FALLBACK_MODELS takes names of image models at OpenRouter, with commas in between.",
        ),
        ("PLUSHIFY_OPENROUTER_DATA_COLLECTION", "no", "PLUSHIFY_OPENROUTER_DATA_COLLECTION takes deny or allow."),
        ("PLUSHIFY_OPENROUTER_ZDR", "maybe", "PLUSHIFY_OPENROUTER_ZDR takes true or false."),
        (
            "PLUSHIFY_IMAGE_MODEL_LARGEST_SIDE_PX",
            "2K",
            "PLUSHIFY_IMAGE_MODEL_LARGEST_SIDE_PX takes a whole number of pixels, 64 to 16384.",
        ),
        (
            "PLUSHIFY_MODEL",
            "openrouter",
            "PLUSHIFY_MODEL is openrouter, which takes a key in PLUSHIFY_OPENROUTER_API_KEY.",
        ),
    ],
)
def test_a_bad_setting_is_named(name: str, text: str, sentence: str) -> None:
    """A bad value or an unknown name is one sentence that says what the variable takes."""
    with pytest.raises(SettingsError) as raised:
        load_settings({name: text})
    assert str(raised.value) == sentence


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - {"PLUSHIFY_DATA_DIR", "PLUSHIFY_CATALOG"}))
def test_every_setting_refuses_nonsense_without_repeating_it(name: str) -> None:
    """Whatever is no free text refuses a line of noise; the message does not repeat it, for it may be a secret."""
    with pytest.raises(SettingsError, match=name) as raised:
        load_settings({name: "a secret\x00 thing"})
    assert "a secret" not in str(raised.value)


def test_secrets_are_not_shown() -> None:
    """The settings do not tell their values where they are printed by accident."""
    assert "sk-or" not in repr(Settings(openrouter_api_key="sk-or-v1-0123"))


def test_which_model_draws() -> None:
    """OpenRouter's as soon as there is a key for it, unless another is named."""
    key = {"PLUSHIFY_OPENROUTER_API_KEY": "sk-or-v1-0123"}
    assert load_settings({}).model_kind == "felt"
    assert load_settings(key).model_kind == "openrouter"
    assert load_settings({**key, "PLUSHIFY_MODEL": "felt"}).model_kind == "felt"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PLUSHIFY_OPENROUTER_FALLBACK_MODELS", "maker/one"),
        ("PLUSHIFY_OPENROUTER_DATA_COLLECTION", "deny"),
        ("PLUSHIFY_OPENROUTER_ZDR", "true"),
    ],
)
def test_a_wish_that_a_protocol_cannot_grant_is_refused(name: str, text: str) -> None:
    """Fallbacks and privacy per request exist in one of the protocols only: with the other they are not ignored."""
    assert load_settings({name: text}) is not None
    with pytest.raises(SettingsError) as raised:
        load_settings({name: text, "PLUSHIFY_OPENROUTER_API": "images"})
    assert str(raised.value) == f"{name} takes effect only where PLUSHIFY_OPENROUTER_API is chat."


@pytest.mark.parametrize("text", [None, "styles = 3", "styles = []\nqualities = []", "no TOML"])
def test_a_bad_catalog_is_named(tmp_path: Path, text: str | None) -> None:
    """A catalog that is missing, unreadable or empty stops the start by its variable's name."""
    file = tmp_path / "catalog.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=r"^PLUSHIFY_CATALOG takes a TOML file"):
        load_catalog(file)


def test_without_a_catalog_there_is_the_built_in_one() -> None:
    """Five styles, three qualities."""
    assert load_catalog(None) is DEFAULT_CATALOG
