from __future__ import annotations

import json
from pathlib import Path

from clusterlib.operations.profiles import show


def test_what_is_shown_of_a_profile_has_no_secrets(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "shop.toml").write_text(
        'extends = "dev"\n[environment]\nSHOP_SECRET = "open sesame"\nDB_PIN = "4711"\n'
        'DB = "postgres://joe:letmein@db/shop"\nNOTE = "say open sesame"\nLANG = "en"\n'
    )

    for resolved in (False, True):
        shown = show("shop", resolved=resolved, project=tmp_path)

        values = {one.field.removeprefix("environment."): one.text for one in shown.values}
        assert values["SHOP_SECRET"] == values["DB_PIN"] == '"[redacted]"'
        assert values["DB"] == '"postgres://joe:[redacted]@db/shop"'
        assert values["NOTE"] == '"say [redacted]"'
        assert values["LANG"] == '"en"'
        told = repr(shown)
        for secret in ("open sesame", "4711", "letmein"):
            assert secret not in told


def test_what_is_shown_of_a_server_is_what_its_driver_uses_with_all_arguments(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    words = ["--one", "--two", "--three", "{{ node.name }}", "x" * 100]
    (tmp_path / "profiles/mine.toml").write_text(
        'driver = "command"\n[ports]\nclient = "14000-14999"\n'
        f'[command]\nprogram = "sh"\narguments = {json.dumps(words)}\n'
    )

    shown = {one.field: one for one in show("mine", resolved=True, project=tmp_path).values}

    assert shown["command.arguments"].text == json.dumps(words)
    assert {"python.path", "timeouts.start", "ready.http"} <= shown.keys()
    assert not {"python.app", "timeouts.build", "beam.mix"} & shown.keys()
