from __future__ import annotations

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
