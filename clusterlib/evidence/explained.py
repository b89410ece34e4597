"""Explains a failure with what a person looks for: the failing line in its source, the traceback,
and the traceback of the node.

A door fills it in when the test fails, because only the door has the source and the exception then.
It is part of the record of the test."""

from __future__ import annotations

from clusterlib.frozen import frozen

__all__ = ["LONGEST_LINE", "LONGEST_TRACEBACK", "Explained", "NodeStacks", "Remote", "Source", "shortened"]

LONGEST_TRACEBACK = 16_000
LONGEST_LINE = 240


@frozen
class Source:
    """Some lines of a file around the one that failed."""

    file: str
    line: int
    function: str
    first: int
    """The number of the first of these lines."""
    lines: tuple[str, ...]

    def numbered(self) -> tuple[tuple[str, bool], ...]:
        """Each line with its number, and whether it is the one that failed."""
        width = len(str(self.first + len(self.lines)))
        numbers = range(self.first, self.first + len(self.lines))
        return tuple(
            (f"{'>' if number == self.line else ' '} {number:{width}} | {text}".rstrip(), number == self.line)
            for number, text in zip(numbers, self.lines, strict=True)
        )


@frozen
class Remote:
    """Where an exception was raised on the node that it came from."""

    node: str
    traceback: str


@frozen
class NodeStacks:
    """What the threads and coroutines of a node did when a test reached its time limit."""

    title: str
    text: str


@frozen
class Explained:
    sources: tuple[Source, ...] = ()
    """From the test's own line to the line that failed, as far as the code is the project's."""
    remotes: tuple[Remote, ...] = ()
    traceback: str = ""
    """The whole traceback, as pytest shows it."""
    stacks: tuple[NodeStacks, ...] = ()
    """The stacks of the nodes that a test had called when it reached its time limit."""


def shortened(text: str, most: int = LONGEST_TRACEBACK) -> str:
    """Shortens a long text to its beginning and its end, where the important part is."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n\n... {len(text) - 2 * half} characters are left out ...\n\n{text[-half:]}"
