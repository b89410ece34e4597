"""What a document has between its ``` lines."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path


def blocks(document: Path) -> Iterator[tuple[int, str, list[str]]]:
    language: str | None = None
    start, body = 0, list[str]()
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if language is None and line.startswith("```"):
            language, start, body = line[3:].strip(), number, []
        elif line.startswith("```"):
            yield start, language or "", body
            language = None
        elif language is not None:
            body.append(line)


def diffs(document: Path) -> list[str]:
    return ["\n".join(body) + "\n" for _, language, body in blocks(document) if language == "diff"]


def touched(diff: str) -> dict[str, bool]:
    """The files that a diff touches: whether each of them is new."""
    files = re.findall(r"^diff --git a/\S+ b/(\S+)\n(new file mode)?", diff, re.MULTILINE)
    return {name: bool(new) for name, new in files}


def apply(diff: str, folder: Path) -> None:
    done = subprocess.run(
        ["git", "apply", "--whitespace=error-all", "-"],
        cwd=folder,
        input=diff,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
