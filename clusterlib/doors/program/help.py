"""What `clusterlib --help` and `clusterlib COMMAND --help` print."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Sequence

from clusterlib.doors.commands.command import Command, commands, troubles
from clusterlib.doors.program.wording import ProgramHelp, words_of
from clusterlib.operations.listing import ListedParameter

__all__ = ["columns", "listed", "listed_troubles", "overview", "usage"]

WIDTH = 100
LEAST_ROOM = 20
"""Columns for an explanation beside a name."""
SECTIONS = (
    ("Start, change and end clusters", ("up", "down", "restart", "sync", "scale", "run", "clean")),
    ("Look into them", ("status", "health", "logs", "events", "shell", "live", "stacks", "flame", "doctor")),
    ("Break nodes on purpose, and bring them back", ("kill", "pause", "resume", "stop", "start")),
)
"""The commands of clusters in the order in which help lists them. Others follow by group."""
OTHERS = {"": "And more", "profile": "Profiles", "test": "Test runs"}


def overview(width: int, wording: ProgramHelp, *, only: str = "") -> str:
    """`only` limits the list to the commands of this group."""
    width = min(width, WIDTH)
    called = wording.names.line
    lines = [f"usage: {called(only, 'COMMAND')} [options]", ""]
    if not only:
        about = "Real clusters of your system, for tests: started in milliseconds, looked into, broken on purpose, and ended."
        lines += [*textwrap.wrap(about, width), ""]
    lines += listed(width, wording, only=only)
    if not only:
        served = ("mcp", "Serve the commands as tools of a coding assistant (MCP).")
        lines += ["For programs:", *columns([served], width), "", *listed_troubles(width)]
    call = wording.names.call
    more = f"{called('COMMAND --help')} shows the options of a command. {call} completion bash (zsh, fish) completes words."
    return "\n".join(
        [
            *lines,
            "Options:",
            *columns(
                [("-h, --help", "Show this, or the help of a command."), ("--version", "Show the version.")],
                width,
            ),
            "",
            *textwrap.wrap(more, width),
        ]
    )


def listed(width: int, wording: ProgramHelp, *, only: str = "", without: Collection[str] = ()) -> list[str]:
    """The commands in their sections."""
    lines = []
    for title, found in _sections():
        if only in {"", words_of(found[0])[0]}:
            shown = [one for one in found if one.full_name not in without]
            rows = [(" ".join(words_of(one)), wording(one.summary)) for one in shown]
            lines += [f"{title}:", *columns(rows, width), ""]
    return lines


def listed_troubles(width: int) -> list[str]:
    """Mistakes in the project's own operations. Those that are listed work."""
    found = [str(one) for one in troubles()]
    if not found:
        return []
    lines = [line for one in found for line in textwrap.wrap(one, width - 2, break_long_words=False)]
    return ["Operations of this project that cannot be used:", *(f"  {line}" for line in lines), ""]


def usage(command: Command, width: int, wording: ProgramHelp) -> str:
    called = wording.names.line(*words_of(command))
    words = [_word(option) for option in command.options if option.word]
    flags = [f"[{_flag(option)}]" for option in command.options if not option.word]
    rest = ["[-- WORDS ...]"] if command.takes_rest else []
    lines = textwrap.wrap(
        " ".join((f"usage: {called}", *words, *flags, *rest)), min(width, WIDTH), subsequent_indent=" " * 8
    )
    lines += ["", *textwrap.wrap(wording(" ".join(command.help.split())), min(width, WIDTH))]
    rows = [(", ".join(_flags(option)), wording(option.explained)) for option in command.options]
    return "\n".join([*lines, "", "Options:", *columns([*rows, ("-h, --help", "Show this.")], width)])


def _sections() -> Iterable[tuple[str, Sequence[Command]]]:
    left = {words_of(one): one for one in commands()}
    for title, names in SECTIONS:
        yield title, [left.pop((name,)) for name in names]
    for first in dict.fromkeys(path[0] if len(path) > 1 else "" for path in left):
        chosen = [one for path, one in left.items() if (path[0] if len(path) > 1 else "") == first]
        yield OTHERS.get(first, first.capitalize()), chosen


def columns(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """What is too long for its column in a narrow terminal has a line of its own."""
    width = max(2 * LEAST_ROOM, min(width, WIDTH))
    indent = min(max(len(first) for first, _ in rows) + 4, width - LEAST_ROOM)
    lines = []
    for first, second in rows:
        folded = textwrap.wrap(second, width - indent) or [""]
        beside = "" if len(first) + 4 > indent else folded.pop(0)
        lines.append(f"  {first.ljust(indent - 2)}{beside}".rstrip())
        lines += [" " * indent + line for line in folded if line]
    return lines


def _word(option: ListedParameter) -> str:
    return option.name.upper() if option.required else f"[{option.name.upper()}]"


def _flag(option: ListedParameter) -> str:
    return f"{option.flag} {option.stands_for}".strip()


def _flags(option: ListedParameter) -> list[str]:
    *others, last = sorted(option.flags, key=len)
    return [*others, f"{last} {option.stands_for}".strip()]
