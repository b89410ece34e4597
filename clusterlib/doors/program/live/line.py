"""A line that was typed at the live prompt becomes commands.

Quotes and backslashes are those of a shell. `;` and `&&` stand between commands, `>`, `>>` and `|`
before the destination of an answer, `#` before a comment. No shell of the system is involved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clusterlib.errors import UsageError
from clusterlib.frozen import frozen

__all__ = ["Destination", "TypedCommand", "begun_words", "parse_line"]

OPERATORS = (">>", "&&", "||", ">", "|", ";", "&", "<")
NOT_HERE = {
    "||": "one command after another is written with ;",
    "&": "commands run one after another",
    "<": "operations read no files",
}
NAMES_OF_US = frozenset({"clusterlib", "inv", "invoke"})


@frozen
class Destination:
    """Where an answer goes, as JSON, instead of the terminal."""

    file: str = ""
    append: bool = False
    program: tuple[str, ...] = ()


@frozen
class TypedCommand:
    words: tuple[str, ...]
    destination: Destination | None = None


@frozen
class _LineToken:
    text: str
    operator: bool = False


def parse_line(line: str) -> list[TypedCommand]:
    """Raises UsageError."""
    found = list[TypedCommand]()
    for part in _split(list(_tokens(line)), {";", "&&"}):
        if part:
            found.append(_command(part))
    return found


def begun_words(line: str) -> list[str] | None:
    """The words of the last command of an unfinished line; the last one is being typed and may be
    empty. None where no command is typed, but the name of a file or a program."""
    try:
        tokens = list(_tokens(line, unfinished=True))
    except UsageError:
        return None
    *_, last = _split(tokens, {";", "&&"})
    if any(one.operator for one in last):
        return None
    words = [one.text for one in last]
    fresh = not line or line[-1].isspace() or line[-1] in ";&"
    return _without_us([*words, *([""] if fresh else [])])


def _command(tokens: Sequence[_LineToken]) -> TypedCommand:
    at = next((number for number, one in enumerate(tokens) if one.operator), len(tokens))
    words, rest = tuple(_without_us([one.text for one in tokens[:at]])), tokens[at:]
    if not words:
        raise UsageError(f"there is no command before {tokens[0].text}")
    if not rest:
        return TypedCommand(words)
    operator, *target = rest
    if operator.text in NOT_HERE:
        raise UsageError(
            f"{operator.text} means nothing here",
            cause=f"{NOT_HERE[operator.text]}. Quote it if it is part of a word",
        )
    if surplus := next((one.text for one in target if one.operator), ""):
        raise UsageError(f"there is a {surplus} behind {operator.text}: an answer goes to one place only")
    if operator.text == "|":
        if not target:
            raise UsageError("there is no program behind |")
        return TypedCommand(words, Destination(program=tuple(one.text for one in target)))
    if len(target) != 1:
        raise UsageError(f"{operator.text} needs the name of one file")
    return TypedCommand(words, Destination(file=target[0].text, append=operator.text == ">>"))


def _without_us(words: list[str]) -> list[str]:
    """A line that was copied from the documentation works, too."""
    return words[1:] if len(words) > 1 and words[0] in NAMES_OF_US else words


def _split(tokens: Sequence[_LineToken], between: set[str]) -> list[list[_LineToken]]:
    parts = [list[_LineToken]()]
    for one in tokens:
        if one.operator and one.text in between:
            parts.append([])
        else:
            parts[-1].append(one)
    return parts


def _tokens(line: str, *, unfinished: bool = False) -> Iterator[_LineToken]:
    at = 0
    while at < len(line):
        if line[at] == "\n":
            yield _LineToken(";", operator=True)
            at += 1
        elif line[at].isspace():
            at += 1
        elif line[at] == "#":
            at = line.find("\n", at) if "\n" in line[at:] else len(line)
        elif operator := next((one for one in OPERATORS if line.startswith(one, at)), ""):
            yield _LineToken(operator, operator=True)
            at += len(operator)
        else:
            word, at = _word(line, at, unfinished=unfinished)
            yield _LineToken(word)


def _word(line: str, at: int, *, unfinished: bool) -> tuple[str, int]:
    """The word that begins here, and where it ends."""
    text, quote = "", ""
    while at < len(line):
        sign = line[at]
        if sign == quote:
            quote = ""
        elif not quote and sign in "'\"":
            quote = sign
        elif sign == "\\" and quote != "'" and at + 1 < len(line):
            at += 1
            text += line[at] if not quote or line[at] in '"\\' else f"\\{line[at]}"
        elif not quote and (sign.isspace() or line.startswith(OPERATORS, at)):
            return text, at
        else:
            text += sign
        at += 1
    if quote and not unfinished:
        raise UsageError(f"a quote is not closed: {quote}")
    return text, at
