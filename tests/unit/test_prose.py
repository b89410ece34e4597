"""Rules for what people read: documents, comments, docstrings, messages and names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SOURCES = ("clusterlib/**/*", "docs/*", "profiles/*", "templates/**/*", "examples/**/*", "*.md", "*.py")
SUFFIXES = {".py", ".pyi", ".erl", ".j2", ".md", ".toml", ".css", ".json"}
AVOIDED = {
    "told": "name the value by what it is; a person is not told, but sees or reads",
    "telling": "name the step by what it makes",
    "whoever": "name the person or the part",
    "nobody": "say what is missing: no process, no other node",
    "spoilt": "damaged",
    "spoil": "damage",
    "diary": "event log",
    "diaries": "histories, event logs",
    "deaf": "does not respond",
    "buried": "cleaned up",
}
"""Words that are rarely the usual one, with the better way to write it."""


def files() -> Iterator[Path]:
    for pattern in SOURCES:
        for file in sorted(PROJECT.glob(pattern)):
            if file.suffix in SUFFIXES and ".clusterlib" not in file.parts and file.is_file():
                yield file


def words(text: str) -> Iterator[str]:
    """Of text and of names: `_is_told_all` and `ToldAll` have the word `told`."""
    for word in re.findall(r"[A-Za-z]+", text):
        yield from (part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", word))


def test_the_usual_word_is_used() -> None:
    found = [
        f"{file.relative_to(PROJECT)}:{number}: {word} ({AVOIDED[word]})"
        for file in files()
        for number, line in enumerate(file.read_text().splitlines(), 1)
        for word in words(line)
        if word in AVOIDED
    ]

    assert found == []


@pytest.mark.parametrize("name", ["_is_told_all", "ToldAll", "MOST_TOLD", "told", "isTold"])
def test_words_are_found_in_names(name: str) -> None:
    assert "told" in list(words(name))


WIDTH = 100
README, CONTRIBUTING, CHANGELOG = (PROJECT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG"))
FENCE = re.compile(r"\s*(`{3,}|~{3,})")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a document that are neither code nor tables."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = FENCE.match(line)
        if fence:
            fence = "" if line.strip() == fence else fence
        elif mark:
            fence = mark[1]
        elif not line.startswith(("    ", "|")):
            yield number, line


@pytest.mark.parametrize(
    "file", [*sorted(PROJECT.glob("docs/*.md")), README, CONTRIBUTING, CHANGELOG], ids=lambda file: file.name
)
def test_prose_has_at_most_100_columns(file: Path) -> None:
    assert [f"{file.name}:{number}" for number, line in prose(file.read_text()) if len(line) > WIDTH] == []


def test_code_and_tables_are_not_prose() -> None:
    text = "one\n```console\n$ two\n```\n    three\n| four |\n````\n```\nfive\n````\nsix\n"

    assert [line for _, line in prose(text)] == ["one", "six"]
