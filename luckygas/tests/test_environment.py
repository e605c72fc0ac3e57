from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from luckygas.environment import Environment, Variables


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Without what was read from a file before."""
    monkeypatch.setattr(Environment, "ENVIRON", Variables())
    return Environment()


@pytest.mark.parametrize("written", ["s3cret-key", "s3cret-key\n", "s3cret-key\r\n"])
def test_a_value_may_stand_in_a_file(
    env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str
) -> None:
    file = tmp_path / "key"
    file.write_bytes(written.encode())
    monkeypatch.setenv("SMS_API_KEY_FILE", str(file))
    monkeypatch.setenv("SMS_API_KEY", "of the environment")
    assert env.str("SMS_API_KEY", default="") == "s3cret-key"


def test_a_url_may_too(env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgres://gas:password@db/gas\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    found = env.db_url("DATABASE_URL", default="")
    assert (found["USER"], found["PASSWORD"], found["NAME"]) == ("gas", "password", "gas")


def test_a_file_that_cannot_be_read_is_named_with_its_setting(
    env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY_FILE: .*absent"):
        env.str("SECRET_KEY", default="")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "junk"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "postgres://gas:s3cret@db:s3cret/gas"),
        ("EMAIL_URL", "junk"),
        ("EMAIL_URL", "foo://mail"),
        ("EMAIL_URL", "smtp://gas:s3cret/w@mail:25"),
    ],
)
def test_what_is_no_url_is_named_and_not_shown(
    env: Environment, monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv(name, url)
    read = {"DATABASE_URL": env.db_url, "EMAIL_URL": env.email_url}[name]
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} is no URL") as refused:
        read(name, default="")
    assert "s3cret" not in str(refused.value)


def test_what_is_no_number_is_named(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_WORKERS", "many")
    with pytest.raises(ImproperlyConfigured, match=r"^SMS_WORKERS: .*many"):
        env.int("SMS_WORKERS", default=8)


def test_without_a_file_the_environment_counts(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_API_KEY", "of the environment")
    assert env.str("SMS_API_KEY", default="") == "of the environment"
    assert env.str("NOWHERE", default="usual") == "usual"


@pytest.mark.parametrize("value", ["$ecret", "$$", "pa$$word", r"\$ecret", r"a\$b\\$", "$HOME"])
def test_a_dollar_is_a_letter_like_others(
    env: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    (tmp_path / "password").write_text(value)
    monkeypatch.setenv("MITAKE_PASSWORD", value)
    monkeypatch.setenv("EVERY8D_PASSWORD_FILE", str(tmp_path / "password"))
    assert [env.str(f"{provider}_PASSWORD", default="") for provider in ("MITAKE", "EVERY8D")] == [value, value]
