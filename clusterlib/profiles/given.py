"""The settings that are given beside the files: by variables of the environment, and by the caller.

Both need the vocabulary. Code that only merges, such as a noxfile, does not import it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clusterlib.profiles.layers import Layer, Path
from clusterlib.profiles.origins import Mistake, Origin
from clusterlib.profiles.vocabulary import PREFIX, Variables, Vocabulary
from clusterlib.values.overrides import Overrides
from clusterlib.values.sources import ValueSource
from clusterlib.values.wording import nearest

__all__ = ["command_line_layer", "environment_layer"]

NEAR = 0.84  # CLUSTERLIB_NODES_CUONT is near to a setting, CLUSTERLIB_COOKIE_FILE is not

# Variables of clusterlib that are not settings, and prefixes of such: never taken for misspelt
# settings.
NOT_SETTINGS = frozenset({"CLUSTERLIB_NODE", "CLUSTERLIB_NODES", "CLUSTERLIB_PORTS", "CLUSTERLIB_SIMULATED"})
NOT_SETTINGS_FROM = (
    "CLUSTERLIB_ADDRESS",
    "CLUSTERLIB_CONTAINMENT",
    "CLUSTERLIB_COOKIE",
    "CLUSTERLIB_FD_",
    "CLUSTERLIB_MARKER",
    "CLUSTERLIB_NAME",
    "CLUSTERLIB_NODE_ADDRESS",
    "CLUSTERLIB_NODE_HOST",
    "CLUSTERLIB_NODE_INDEX",
    "CLUSTERLIB_NODE_NAME",
    "CLUSTERLIB_NODE_PORT",
    *(f"CLUSTERLIB_NODE{digit}" for digit in range(10)),
    "CLUSTERLIB_PROFILE",
    "CLUSTERLIB_PROJECT",
    "CLUSTERLIB_RUN",
    "CLUSTERLIB_SOCKET",
    "CLUSTERLIB_TAG",
)


def environment_layer(environ: Mapping[str, str], vocabulary: Vocabulary) -> tuple[Layer, list[Mistake]]:
    """CLUSTERLIB_NODES_COUNT=5 and the like. An empty variable is ignored, as is usual in CI."""
    tree: dict[str, Any] = {}
    places: dict[Path, str] = {}
    mistakes: list[Mistake] = []
    names = sorted(name for name in environ if name.startswith(PREFIX) and environ[name])
    for name in names:
        known = vocabulary.variables().get(name)
        if known is None and not _is_no_setting(name) and not _open_path(name):
            vocabulary.load_shipped()
            known = vocabulary.variables().get(name)
        path, kind = known or (_open_path(name), None)
        if path:
            _put(tree, path, kind.from_text(environ[name]) if kind else environ[name])
            places[path] = name
        elif mistake := _near_miss(name, vocabulary.variables()):
            mistakes.append(mistake)
    return Layer(ValueSource.ENVIRONMENT, tree, places=places), mistakes


def _open_path(variable: str) -> Path:
    """CLUSTERLIB_PORTS_HTTP and CLUSTERLIB_ENVIRONMENT_NAME: tables whose keys the author
    chooses."""
    for table, fold in (("ports", str.lower), ("environment", str)):
        start = f"{PREFIX}{table.upper()}_"
        if variable.startswith(start) and len(variable) > len(start):
            return table, fold(variable.removeprefix(start))
    return ()


def _is_no_setting(variable: str) -> bool:
    return variable in NOT_SETTINGS or variable.startswith(NOT_SETTINGS_FROM)


def _near_miss(variable: str, known: Variables) -> Mistake | None:
    if _is_no_setting(variable):
        return None
    near = nearest(variable, known, NEAR)
    if near is None:
        return None
    return Mistake(
        "is no setting", f"did you mean {near}?", variable, Origin(ValueSource.ENVIRONMENT, variable)
    )


def command_line_layer(overrides: Overrides, vocabulary: Vocabulary) -> tuple[Layer, list[Mistake]]:
    """`{"nodes.count": 5}`; a text is read as the setting's kind, and None is ignored."""
    tree: dict[str, Any] = {}
    vocabulary.load_for_tables(table for name in overrides if (table := name.partition(".")[0]) != name)
    kinds = dict(vocabulary.variables().values())
    mistakes: list[Mistake] = []
    for name, value in overrides.items():
        if value is None:
            continue
        path = _split(name)
        if not all(path):
            mistakes.append(
                Mistake(
                    "is no setting",
                    'write "nodes.count", for example',
                    name,
                    Origin(ValueSource.COMMAND_LINE),
                )
            )
            continue
        kind = kinds.get(path)
        if not _put(tree, path, kind.from_text(value) if kind and isinstance(value, str) else value):
            mistakes.append(Mistake("is set twice", "say it once", name, Origin(ValueSource.COMMAND_LINE)))
    return Layer(ValueSource.COMMAND_LINE, tree), mistakes


def _split(name: str) -> Path:
    """`templates.node.json` is the key `node.json` of `templates`."""
    from clusterlib.profiles.model import SHARED
    from clusterlib.values.fields import kind_of

    top, _, rest = name.partition(".")
    opened = any(one.name == top and kind_of(one).open for one in SHARED)
    if opened:
        return (top, rest) if rest else (top,)
    return tuple(name.split("."))


def _put(tree: dict[str, Any], path: Path, value: object) -> bool:
    """False if something is there already."""
    table: Any = tree
    for part in path[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            return False
    if path[-1] in table:
        return False
    table[path[-1]] = value
    return True
