"""The part of docs/commands.md that is made of the declarations: for each command how it is called
and what it takes, and a table of all. The text around it is written by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from clusterlib.operations.listing import JSON, ListedOperation, ListedParameter

__all__ = ["reference"]

ALL = "all commands"
BEGIN = "<!-- made by python -m clusterlib.operations.generating: {} -->"
END = "<!-- end of {} -->"
BLOCK = re.compile(f"{BEGIN.format('(?P<name>[^>]+)')}\n.*?{END.format('(?P=name)')}\n", re.DOTALL)


def reference(document: str, operations: Sequence[ListedOperation]) -> str:
    """The document with its blocks made anew, and a section for each operation that has none.

    Raises ValueError for a block of something that is no operation."""
    known = {one.full_name: one for one in operations}
    present = {found["name"] for found in BLOCK.finditer(document)}
    if strange := present - {ALL, *known}:
        raise ValueError(f"there is no operation {', '.join(sorted(strange))}: remove its section")
    for name, one in known.items():
        if name not in present:
            document = _with_section(document, one)
    return BLOCK.sub(lambda found: _block(found["name"], known), document)


def _with_section(document: str, one: ListedOperation) -> str:
    """After the sections of its group."""
    of_group = [found for found in BLOCK.finditer(document) if found["name"].startswith(f"{one.group}.")]
    after = of_group[-1].end() if of_group else len(document)
    next_one = re.compile(r"^##+ ", re.MULTILINE).search(document, after)
    at = next_one.start() if next_one else len(document)
    name = one.full_name
    section = f"### `{name}`\n\n{BEGIN.format(name)}\n{END.format(name)}\n\n{one.help}\n\n"
    return document[:at] + section + document[at:]


def _block(name: str, known: Mapping[str, ListedOperation]) -> str:
    lines = _overview(known) if name == ALL else _details(known[name])
    return "\n".join([BEGIN.format(name), "", *lines, "", END.format(name), ""])


def _overview(known: Mapping[str, ListedOperation]) -> Iterator[str]:
    yield from ("| command | effect | what it does |", "| --- | --- | --- |")
    for name, one in known.items():
        yield f"| `{name}` | {one.effect} | {_in_table(one.summary)} |"


def _details(one: ListedOperation) -> Iterator[str]:
    options = [option for option in one.options if option != JSON]
    calls = [_call(option) for option in sorted(one.options, key=lambda option: not option.word)]
    words = [f"[-- {one.words.upper()}]"] if one.words else []
    yield from ("```text", " ".join([one.full_name, *calls, *words]), "```")
    if options:
        yield from ("", "| option | meaning |", "| --- | --- |")
    for option in options:
        yield f"| {_in_table(_names(option))} | {_in_table(option.explained)} |"


def _call(option: ListedParameter) -> str:
    if option.word:
        return option.name.upper() if option.required else f"[{option.name.upper()}]"
    call = f"{option.flag} {option.stands_for}".strip()
    return call if option.required else f"[{call}]"


def _names(option: ListedParameter) -> str:
    word = [option.name.upper()] if option.word else []
    shorts = [flag for flag in option.flags if flag != option.flag]
    called = [*word, f"{option.flag} {option.stands_for}".strip(), *shorts]
    return ", ".join(f"`{one}`" for one in called)


def _in_table(text: str) -> str:
    return text.replace("|", "\\|")
