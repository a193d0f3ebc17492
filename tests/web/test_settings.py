"""Settings, read from the environment."""

from pathlib import Path

import pytest

from plushify_core import DEFAULT_CATALOG, Limits
from plushify_web.settings import SETTINGS, Settings, SettingsError, load_catalog, load_settings, local_folder


def test_every_setting_is_optional() -> None:
    """An empty environment and empty variables give the defaults."""
    assert load_settings({}) == Settings()
    assert load_settings(dict.fromkeys(SETTINGS, "") | {"PATH": "/bin"}) == Settings()


def test_parses_every_kind_of_value() -> None:
    """Each kind of value is parsed from its text, and the limits of the domain follow the settings."""
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
            "PLUSHIFY_EXPECTED_CALL_COST_USD": "0.067",
            "PLUSHIFY_FAILED_GENERATIONS_PER_USER_PER_DAY": "7",
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
        expected_call_cost_usd=0.067,
        failed_generations_per_user_per_day=7,
    )
    assert settings.limits == Limits(
        timeout_s=2.5,
        free_credits=0,
        credits_expire_days=90,
        daily_spend_nano_usd=2_350_000_000,
        expected_call_cost_nano_usd=67_000_000,
        failed_generations_per_user_per_day=7,
    )


def test_the_default_limits_are_those_of_the_domain() -> None:
    """Without settings, the limits are the defaults of `Limits`."""
    assert Settings().limits == Limits()


def test_no_limit_of_failures() -> None:
    """A limit of 0 failed generations per user and day is no limit."""
    settings = load_settings({"PLUSHIFY_FAILED_GENERATIONS_PER_USER_PER_DAY": "0"})
    assert settings.limits.failed_generations_per_user_per_day is None


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
            "PLUSHIFY_EXPECTED_CALL_COST_USD",
            "0",
            "PLUSHIFY_EXPECTED_CALL_COST_USD takes US dollars, such as 0.04, 0.000001 to 1000.",
        ),
        (
            "PLUSHIFY_FAILED_GENERATIONS_PER_USER_PER_DAY",
            "-1",
            "PLUSHIFY_FAILED_GENERATIONS_PER_USER_PER_DAY takes a whole number, 0 or more.",
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
def test_refuses_a_wrong_setting_with_a_sentence(name: str, text: str, sentence: str) -> None:
    """The message for a wrong value or an unknown name is one sentence that says what the setting takes."""
    with pytest.raises(SettingsError) as raised:
        load_settings({name: text})
    assert str(raised.value) == sentence


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - {"PLUSHIFY_DATA_DIR", "PLUSHIFY_CATALOG"}))
def test_the_message_never_contains_the_value(name: str) -> None:
    """Every setting except the paths refuses a nonsense value. The value may be a secret, so the message omits it."""
    with pytest.raises(SettingsError, match=name) as raised:
        load_settings({name: "a secret\x00 thing"})
    assert "a secret" not in str(raised.value)


def test_repr_contains_no_secrets() -> None:
    """The representation of the settings does not contain their values."""
    assert "sk-or" not in repr(Settings(openrouter_api_key="sk-or-v1-0123"))


def test_an_openrouter_key_selects_openrouter() -> None:
    """The model is OpenRouter if there is a key, and felt otherwise. `PLUSHIFY_MODEL` overrides both."""
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
def test_refuses_chat_options_for_the_image_protocol(name: str, text: str) -> None:
    """Fallback models and privacy options need the chat protocol, and are refused with the image protocol."""
    assert load_settings({name: text}) is not None
    with pytest.raises(SettingsError) as raised:
        load_settings({name: text, "PLUSHIFY_OPENROUTER_API": "images"})
    assert str(raised.value) == f"{name} takes effect only where PLUSHIFY_OPENROUTER_API is chat."


@pytest.mark.parametrize("text", [None, "styles = 3", "styles = []\nqualities = []", "no TOML"])
def test_refuses_a_wrong_catalog(tmp_path: Path, text: str | None) -> None:
    """The message for a missing, malformed or empty catalog names its setting."""
    file = tmp_path / "catalog.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=r"^PLUSHIFY_CATALOG takes a TOML file"):
        load_catalog(file)


def test_the_default_catalog_is_used_without_a_file() -> None:
    """Without a file, `load_catalog` returns the default catalog."""
    assert load_catalog(None) is DEFAULT_CATALOG


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PLUSHIFY_SERVICE_HOST", "10.0.0.11"),
        ("PLUSHIFY_SERVICE_PORT", "8000"),
        ("PLUSHIFY_SERVICE_PORT_HTTP", "8000"),
        ("PLUSHIFY_PORT", "tcp://10.0.0.11:8000"),
        ("PLUSHIFY_PORT_8000_TCP", "tcp://10.0.0.11:8000"),
        ("PLUSHIFY_PORT_8000_TCP_PROTO", "tcp"),
        ("PLUSHIFY_PORT_8000_TCP_PORT", "8000"),
        ("PLUSHIFY_PORT_8000_TCP_ADDR", "10.0.0.11"),
        ("PLUSHIFY_PORT_8000_TCP", "tcp://[fd00::11]:8000"),
        ("PLUSHIFY_PORT_53_UDP", "udp://10.0.0.11:53"),
        ("PLUSHIFY_WEB_SERVICE_HOST", "10.0.0.12"),
        ("PLUSHIFY_WEB_PORT_80_TCP_ADDR", "10.0.0.12"),
    ],
)
def test_ignores_the_variables_that_kubernetes_makes(name: str, value: str) -> None:
    """The variables that Kubernetes makes for services named plushify or plushify-web are no settings."""
    assert load_settings({name: value}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"), [("PLUSHIFY_PORT", "9000"), ("PLUSHIFY_HOST", "10.0.0.11"), ("PLUSHIFY_SERVICE_PORT", "http")]
)
def test_refuses_what_only_looks_like_kubernetes(name: str, value: str) -> None:
    """A variable that Kubernetes would not make so is an unknown setting."""
    with pytest.raises(SettingsError, match=f"{name} is not a setting"):
        load_settings({name: value})


def test_expands_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in a path is the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings({"PLUSHIFY_DATA_DIR": "~/data", "PLUSHIFY_CATALOG": "~/catalog.toml"})
    assert (settings.data_dir, settings.catalog) == (tmp_path / "data", tmp_path / "catalog.toml")


@pytest.mark.parametrize("name", ["PLUSHIFY_DATA_DIR", "PLUSHIFY_CATALOG"])
def test_refuses_an_unknown_home_folder(name: str) -> None:
    """A home folder that does not exist is refused by the name of the setting."""
    with pytest.raises(SettingsError, match=f"{name} takes a"):
        load_settings({name: "~nobody-at-all/x"})


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file:///srv/pictures", "/srv/pictures"),
        ("file://localhost/srv/pictures", "/srv/pictures"),
        ("local:///srv/pictures", "/srv/pictures"),
        ("file:///srv/a%20b%3F%23%25", "/srv/a b?#%"),
        ("file:///srv/a b", "/srv/a b"),
        ("file:///srv/%C3%BC", "/srv/ü"),
        ("file:///srv/a::b", "/srv/a::b"),
        ("file://pictures", "pictures"),
        ("file://../pictures", "../pictures"),
        ("file://~/pictures", "/home/ann/pictures"),
        ("file:///~/pictures", "/home/ann/pictures"),
        ("s3://bucket/prefix", None),
        ("memory://x", None),
    ],
)
def test_folder_of_a_file_url(monkeypatch: pytest.MonkeyPatch, url: str, folder: str | None) -> None:
    """A file URL is percent-decoded, and may be relative or in the home folder."""
    monkeypatch.setenv("HOME", "/home/ann")
    assert local_folder(url) == (Path(folder) if folder else None)


@pytest.mark.parametrize("url", ["file:///srv/what?", "file:///srv/a#b"])
def test_refuses_a_file_url_with_a_query_or_fragment(url: str) -> None:
    """A question mark or a number sign has to be percent-encoded, because it would end the path of a URL."""
    with pytest.raises(ValueError, match="%3F and %23"):
        local_folder(url)
