from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.profiles.positions import Path, key_lines

TEXT = '''\
a = 1
b.c = """
not = a key
"""  # d = 4

[table]
"quoted.key" = 'literal # no comment'
\'single\' = { x = 1, y.z = [1, 2] }
list = [  # a comment ] here
  "one",
  { inside = 2 },
]
when = 1979-05-27 07:32:00

  [table."sub\\u0041"]
  f = 1.5

[[many]]
n = 1
[[many]]
n = 2
[many.deep]
m = 3
'''

LINES: dict[Path, int] = {
    ("a",): 1,
    ("b",): 2,
    ("b", "c"): 2,
    ("table",): 6,
    ("table", "quoted.key"): 7,
    ("table", "single"): 8,
    ("table", "single", "x"): 8,
    ("table", "single", "y"): 8,
    ("table", "single", "y", "z"): 8,
    ("table", "single", "y", "z", 0): 8,
    ("table", "single", "y", "z", 1): 8,
    ("table", "list"): 9,
    ("table", "list", 0): 10,
    ("table", "list", 1): 11,
    ("table", "list", 1, "inside"): 11,
    ("table", "when"): 13,
    ("table", "subA"): 15,
    ("table", "subA", "f"): 16,
    ("many",): 18,
    ("many", 0): 18,
    ("many", 0, "n"): 19,
    ("many", 1): 20,
    ("many", 1, "n"): 21,
    ("many", 1, "deep"): 22,
    ("many", 1, "deep", "m"): 23,
}


def test_every_key_is_found_on_its_line() -> None:
    assert key_lines(TEXT) == LINES


def test_windows_line_ends_count_once() -> None:
    assert key_lines(TEXT.replace("\n", "\r\n")) == LINES


def _paths(value: Any, path: Path = ()) -> set[Path]:
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return {(*path, key) for key, _ in entries}.union(*(_paths(item, (*path, key)) for key, item in entries))


PIECES = [
    *(
        "a",
        "b",
        '"q"',
        "'l'",
        ".",
        "=",
        " ",
        "\n",
        "\r\n",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        ",",
        "#",
        "1",
        '"""',
        "'''",
    ),
    *(
        "[a]\n",
        "[[a]]\n",
        "[a.b]\n",
        "a = 1\n",
        "b = [1, {c = 2}]\n",
        'c = "x"\n',
        '"',
        "'",
        "\\",
        "a.b = {}\n",
    ),
]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_whatever_toml_accepts_has_a_line_for_every_key(text: str) -> None:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # such a text never gets this far
    assert _paths(tree) <= set(key_lines(text))
