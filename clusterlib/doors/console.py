"""The user's console. Results go to stdout, progress to stderr; with --json stdout has one
document.

`rich` draws progress and tables, and is imported only for these, because it takes longer than most
results."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from clusterlib.doors.documents import as_json, worded
from clusterlib.doors.paint import Paint, wants_colour
from clusterlib.doors.wording import Wording

if TYPE_CHECKING:
    from clusterlib.doors.progress import Progress
    from clusterlib.errors import ClusterError

__all__ = ["Cell", "Console"]

UNLIMITED = 10_000
"""Wider than any table; a pipe is never folded."""

GAP = 2
"""Columns between two cells of a table."""

LEAST_FOLDED = 20
"""A column is folded to no less than this, as long as another one can be left out."""

Cell = str | tuple[str, str]
"""A text, or a text and its colour."""


class Console:
    def __init__(
        self,
        *,
        json: bool = False,
        remainder: Sequence[str] = (),
        out: TextIO | None = None,
        err: TextIO | None = None,
        environment: Mapping[str, str] | None = None,
        wording: Wording | None = None,
    ) -> None:
        self.json = json
        self.wording = wording or Wording()
        """Calls operations as they are called here."""
        self.remainder = list(remainder)
        """The words after `--`."""
        self.compact = False
        """Whether a JSON document takes one line, because others follow."""
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        self.environment = os.environ if environment is None else environment
        self.paint = Paint(wants_colour(self.out, self.environment))
        self.aside = Paint(wants_colour(self.err, self.environment))
        self._progress: Progress | None = None

    @property
    def lively(self) -> bool:
        """Whether lines may be redrawn: on a capable terminal, and not in CI, whose logs would show
        every frame."""
        environment = self.environment
        return self.err.isatty() and environment.get("TERM") not in {"dumb", ""} and not environment.get("CI")

    @property
    def width(self) -> int:
        """Columns of the terminal; a pipe has room for all."""
        return shutil.get_terminal_size().columns if self.out.isatty() else UNLIMITED

    # -- answers

    def answer(self, document: object, tell: Callable[[], None]) -> None:
        """The result of a task: the document with --json, else what `tell` prints."""
        self.close()
        if self.json:
            self._write(self.out, as_json(worded(document, self.wording), indent=self._indent))
        else:
            tell()

    @property
    def _indent(self) -> int | None:
        return None if self.compact else 2

    def line(self, text: str = "") -> None:
        self._write(self.out, text + "\n")

    def paragraph(self, beginning: str, text: str, *, indent: int) -> None:
        """A beginning, which may be coloured and takes `indent` columns, and a text that is folded
        beside it."""
        lines = textwrap.wrap(text, max(20, self.width - indent)) or [""]
        self.line(beginning + f"\n{' ' * indent}".join(lines))

    def record(self, document: Mapping[str, Any]) -> None:
        """One JSON document of a stream that has no end: one a line."""
        self._write(self.out, as_json(document))

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        *,
        foldable: Sequence[str] | None = None,
        expendable: Sequence[str] = (),
    ) -> list[str]:
        """A table with titles.

        A pipe gets all of it. A narrow terminal leaves out columns, beginning with the first
        expendable one, and folds those that may be folded: all, unless they are named. Returns the
        columns that were left out."""
        from rich.cells import cell_len
        from rich.console import Console as Rich
        from rich.table import Table
        from rich.text import Text

        texts = [
            [Text(cell) if isinstance(cell, str) else Text(cell[0], style=cell[1]) for cell in row]
            for row in rows
        ]
        may_fold = columns if foldable is None else foldable
        needed: dict[str, int] = {}
        for number, title in enumerate(columns):
            natural = max(cell_len(title), *(row[number].cell_len for row in texts), 0)
            needed[title] = min(natural, LEAST_FOLDED) if title in may_fold else natural
        left_out = _too_much(needed, expendable, self.width)
        needed = {title: size for title, size in needed.items() if title not in left_out}
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        for title in needed:
            table.add_column(title, overflow="fold", no_wrap=title not in may_fold)
        for row in texts:
            table.add_row(*(cell for title, cell in zip(columns, row, strict=True) if title in needed))
        rich = Rich(
            file=self.out,
            force_terminal=self.paint.colours,
            no_color=not self.paint.colours,
            color_system="standard" if self.paint.colours else None,
            width=self.width if foldable is None else max(self.width, _total(needed)),
            highlight=False,
            soft_wrap=False,
            legacy_windows=False,
        )
        with rich.capture() as drawn:
            rich.print(table)
        for line in drawn.get().splitlines():
            self.line(line.rstrip())
        return left_out

    # -- on the way

    def say(self, text: str) -> None:
        """A line of progress."""
        if not self.json:
            self._write(self.err, text + "\n")

    def note(self, text: str) -> None:
        self.say(self.aside("note: ", "cyan") + self.wording(text))

    def progress(self) -> Progress:
        """What a starting or changing cluster is shown by; it takes events."""
        from clusterlib.doors.progress import LinesProgress, LiveProgress, SilentProgress

        if self.json:
            self._progress = SilentProgress()
        elif self.lively:
            self._progress = LiveProgress(self.err, self.aside)
        else:
            self._progress = LinesProgress(self.say, self.aside)
        return self._progress

    @contextlib.contextmanager
    def stdout_for_answer_only(self, wanted: bool = True) -> Iterator[None]:
        """With --json, what programs that we start print goes to stderr: stdout is the answer's."""
        if not (self.json and wanted):
            yield
            return
        self.out.flush()
        kept = os.dup(1)
        os.dup2(2, 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)

    def close(self) -> None:
        """Ends the drawing, so that later output appears below it. Idempotent."""
        if self._progress is not None:
            self._progress.close()
            self._progress = None

    def confirms(self, question: str) -> bool:
        """Asks the person at the terminal. No answer means no."""
        try:
            return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
        except (EOFError, KeyboardInterrupt):
            self.line()
            return False

    # -- ends

    def error(self, error: ClusterError) -> None:
        self.close()
        if self.json:
            document = {**error.to_dict(), "remedies": [self.wording(one) for one in error.remedies]}
            self._write(self.out, as_json({"error": document}, indent=self._indent))
            return
        paint = self.aside
        lines = [f"{paint('error:', 'red')} {paint(error.problem, 'bold')} {paint(f'[{error.code}]', 'dim')}"]
        if error.cause:
            lines.append(f"  {paint('cause:', 'yellow')} {_indented(error.cause)}")
        lines += [
            f"  {paint('|', 'dim')} {line}" for text in error.evidence for line in text.splitlines() or [""]
        ]
        lines += [f"  {paint('try:', 'green')} {self.wording(remedy)}" for remedy in error.remedies]
        self._write(self.err, "\n".join(lines) + "\n")

    def interrupted(self) -> None:
        self.close()
        if self.json:
            what: dict[str, object] = {
                "code": "interrupted",
                "problem": "interrupted",
                "cause": None,
                "evidence": [],
                "remedies": [],
                "remedy_parts": [],
            }
            self._write(self.out, as_json({"error": what}, indent=self._indent))
        else:
            self._write(self.err, "interrupted\n")

    def abandon(self) -> None:
        """The reader of stdout has gone, as `head` does: buffered output is dropped silently."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.out.fileno())
        os.close(nowhere)

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
        except UnicodeEncodeError:  # LANG=C: rather a question mark than a traceback
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()


def _indented(text: str) -> str:
    return text.replace("\n", "\n         ")


def _too_much(needed: Mapping[str, int], expendable: Sequence[str], width: int) -> list[str]:
    """The columns that must go for the others to fit into this width, the first of the expendable
    ones first."""
    kept, left_out = dict(needed), []
    for title in expendable:
        if title in kept and _total(kept) > width:
            del kept[title]
            left_out.append(title)
    return left_out


def _total(needed: Mapping[str, int]) -> int:
    return sum(needed.values()) + GAP * (len(needed) - 1)
