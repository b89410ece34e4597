"""No secret survives, and what is no secret does."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clusterlib.evidence.redaction import MARK, Redactor, is_secret, redactor_for

ANYTHING = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=40
)
SECRETS = ANYTHING.filter(lambda text: len(text.strip()) >= 6)


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN", "token", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "PASSWD", "APIKEY", "SSH_KEY", "COOKIE",
        "ERLANG_COOKIE", "GOOGLE_CREDENTIALS", "BASIC_AUTH", "AUTH", "DATABASE_DSN", "SIGNING_KEYS", "MYSQL_PASS",
        "SESSION_JWT", "JWT", "BEARER", "API_BEARER", "CREDS", "REGISTRY_CREDS", "DB_PW", "PW", "CARD_PIN", "PIN", "MYSQL_PWD",
        "SLACK_WEBHOOK_URL", "AZURE_STORAGE_CONNECTION_STRING",
    ],
)  # fmt: skip
def test_names_that_say_secret_are_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "PWD",
        "HOME",
        "GIT_AUTHOR_NAME",
        "KEYBOARD",
        "CLUSTERLIB_COOKIE_FILE",
        "SSH_AUTH_SOCK",
        "LANG",
        "CLUSTERLIB_NODES",
        "OLDPWD",
        "SPINNER",
        "PINNED_VERSION",
        "SPAWN",
        "CREDITS",
        "PASSENGERS",
        "TIMEOUT",
        "CONNECTION_LIMIT",
    ],
)
def test_names_that_do_not_say_it_are_not(name: str) -> None:
    assert not is_secret(name)


@given(secret=SECRETS, before=ANYTHING, after=ANYTHING)
def test_no_secret_survives_in_any_shape_that_logs_give_it(secret: str, before: str, after: str) -> None:
    secret = secret.strip()
    assume(secret not in MARK and secret not in before + MARK + after)
    redactor = Redactor([secret])
    shapes = [secret, json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret), ascii(secret)]
    shapes += [shlex.quote(secret), quote(secret), quote(secret, safe=""), repr(secret.encode())]

    for shape in shapes:
        text = redactor.text(f"{before}{shape}{after}")
        inner = shape.strip("\"'").removeprefix("b'")
        assert secret not in text
        assert inner not in text or inner in before + MARK + after or inner in "\"'b'"


@given(secret=SECRETS, before=ANYTHING, after=ANYTHING)
def test_no_secret_survives_in_json(secret: str, before: str, after: str) -> None:
    secret = secret.strip()
    assume(
        secret not in MARK
        and secret not in before + MARK + after
        and secret not in "message time kind x"
        and secret not in "test.ended"
    )
    record = {
        "kind": "test.ended",
        "time": "x",
        "message": f"{before}{secret}{after}",
        "deep": [{"a": secret}],
    }

    line = Redactor([secret]).line(json.dumps(record).encode())

    found = json.loads(line)
    assert secret not in found["message"]
    assert found["deep"] == [{"a": MARK}]
    assert found["kind"] == "test.ended"


def test_a_secret_of_many_lines_is_found_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n"

    text = Redactor([key]).text("12:00 MIIEvQIBADANBg\n12:01 kqhkiG9w0BAQEF\n" + json.dumps(key))

    assert "MIIE" not in text
    assert "kqhk" not in text


def test_short_secrets_are_not_searched_in_free_text_but_hidden_beside_their_names() -> None:
    redactor = Redactor(variables={"DB_PASSWORD": "abc"})

    assert redactor.text("abc is the alphabet") == "abc is the alphabet"
    assert redactor.text("DB_PASSWORD=abc") == f"DB_PASSWORD={MARK}"
    assert redactor.text('{"DB_PASSWORD": "abc"}') == f'{{"DB_PASSWORD": "{MARK}"}}'


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgres://shop:hunter2@db/x", f"postgres://shop:{MARK}@db/x"),
        ("amqp://:pw@host and http://b:c@d", f"amqp://:{MARK}@host and http://b:{MARK}@d"),
        ("redis://u:p@ss@host", f"redis://u:{MARK}@host"),
        ("http://127.0.0.1:24603/health", "http://127.0.0.1:24603/health"),
        ("mail me: http://x, a:b@c", "mail me: http://x, a:b@c"),
    ],
)
def test_passwords_in_urls_are_hidden(text: str, redacted: str) -> None:
    assert Redactor().text(text) == redacted


def test_a_variable_of_another_process_is_known_by_its_name() -> None:
    assert Redactor().text("export GH_TOKEN=ghp_12345 LANG=C") == f"export GH_TOKEN={MARK} LANG=C"


def test_what_events_are_told_apart_by_stays() -> None:
    redactor = Redactor(["cluster.ready"])

    assert redactor.value({"kind": "cluster.ready", "text": "cluster.ready"}) == {
        "kind": "cluster.ready",
        "text": MARK,
    }


def test_bytes_that_are_no_text_go_through() -> None:
    data = bytes(range(256)) * 3

    assert Redactor(["a secret"]).data(data) == data


def test_text_that_came_from_nowhere_sensible_goes_through() -> None:
    assert Redactor(["a secret"]).text("\ud800 a secret \udcff") == f"\ud800 {MARK} \udcff"


def test_a_run_folder_tells_its_cookie_and_its_environment(tmp_path: Path) -> None:
    (tmp_path / "cookie").write_text("0123456789abcdef\n")
    (tmp_path / "plan.json").write_text(
        json.dumps({"roles": [{"environment": {"SHOP_SECRET": "open sesame", "LANG": "en_GB"}}]})
    )

    redactor = redactor_for([tmp_path, tmp_path / "nowhere"], {"MY_TOKEN": "tok-123456"})

    assert redactor.text("0123456789abcdef open sesame en_GB tok-123456") == f"{MARK} {MARK} en_GB {MARK}"


@pytest.mark.parametrize(
    "plan",
    [
        "",
        "[]",
        '{"roles": [{"environment": 3}]}',
        '{"roles": [{"environment": {"A_TOKEN": 5}}]}',
        '{"roles": 3}',
        "{",
    ],
)
def test_a_broken_plan_tells_nothing_and_breaks_nothing(tmp_path: Path, plan: str) -> None:
    (tmp_path / "plan.json").write_text(plan)

    assert redactor_for([tmp_path], {}).text("text") == "text"
