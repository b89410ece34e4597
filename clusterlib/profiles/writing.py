"""Writes a resolved profile as TOML.

The only user of the `toml` package: reading is `tomllib`'s."""

from __future__ import annotations

import json
from typing import Any

import toml

from clusterlib.profiles.resolved import ResolvedProfile, as_plain
from clusterlib.values.kinds import memory_text

__all__ = ["toml_text"]


class _Encoder(toml.TomlEncoder):  # type: ignore[type-arg]
    """The package's own way of writing text loses backslashes and control characters; JSON's
    escapes are valid in TOML."""

    def __init__(self) -> None:
        super().__init__(dict)
        self.dump_funcs[str] = _quoted


def _quoted(text: str) -> str:
    # TOML requires DEL to be escaped, too, and has no surrogate pairs: characters that JSON leaves
    # readable stay unescaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_text(profile: ResolvedProfile) -> str:
    """A profile file that sets these values on its own, including adapted ones."""
    values = profile.values
    tree: dict[str, Any] = as_plain(values.tables())
    tree["nodes"]["memory"] = memory_text(values.nodes.memory)
    said = {key: _written(key, value, profile) for key, value in tree.items()}
    body = toml.dumps({key: value for key, value in said.items() if value != {}}, encoder=_Encoder())
    return f"# The profile {profile.name}, with every value decided.\n\n{body}"


def _written(table: str, value: Any, profile: ResolvedProfile) -> Any:
    """TOML has no null: None is left out, and so are empty tables and those of other drivers."""
    if not isinstance(value, dict):
        return value
    return {key: entry for key, entry in value.items() if entry is not None and profile.uses(table, key)}
