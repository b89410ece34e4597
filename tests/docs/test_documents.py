"""Runs the examples of the documentation, in order, in a new project, and compares the output.

A ```console block holds commands (`$ ...`) and what they print; `# exits with N` behind a command
tells another code than 0. A block whose first line is `# file: NAME` is written to that file;
another ```python block is run; ```py is not.
A ```diff block is applied to the project with `git apply`. A ```session block is typed at the live
prompt; between its prompts stands what is printed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from clusterlib.operations.catalogue import catalogue
from clusterlib.operations.down import bring_down
from tests.docs.reading import apply, blocks, diffs
from tests.docs.sessions import replay

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *(REPOSITORY / "docs").glob("*.md")]
)
ELSEWHERE = re.compile(
    r"(python3 -m pip|nox$|nox -s (lint|tests|packaging|chaos|bench)|python3 -m venv|source |\. )"
)
"""Installing and the whole test run: typed by .ci/run, not once more inside itself."""
TASK = r"((?:cluster|profile|test)\.[a-z][\w-]*)"
CI = ("CI", "GITHUB_", "GITLAB_")
"""What a person at a desk types is shown, and what it does there."""
PATIENCE = 120


@dataclass
class Step:
    line: int
    kind: str
    text: str
    shown: list[str] = field(default_factory=list)
    exit_code: int = 0


def steps(document: Path) -> list[Step]:
    found: list[Step] = []
    for line, language, body in blocks(document):
        if body and (named := re.match(r"# file: (\S+)$", body[0])):
            found.append(Step(line, named[1], "\n".join(body[1:]) + "\n"))
        elif language == "diff":
            found.append(Step(line, "diff", "\n".join(body) + "\n"))
        elif language == "console":
            found += commands(line, body)
        elif language in {"python", "session"}:
            found.append(Step(line, language, "\n".join(body) + "\n"))
    return found


def commands(start: int, body: list[str]) -> list[Step]:
    found: list[Step] = []
    for number, text in enumerate(body, start + 1):
        if text.startswith("$ "):
            command, _, code = text[2:].partition("  # exits with ")
            found.append(Step(number, "command", command, exit_code=int(code or 0)))
        elif found:
            found[-1].shown.append(text)
    return found


def shape(line: str) -> str:
    """A line without what differs between runs: numbers, times, folders, the width of columns."""
    line = re.sub(r"\x1b\[[0-9;]*m", "", line)
    line = re.sub(r"(/[\w.+-]+)+/?", "/PATH", line)
    line = re.sub(r"\b[0-9a-f]{12,}\b", "HEX", line)
    line = re.sub(r"\d[\d.,:TZ-]*", "N", line)
    return re.sub(r"[\s─━=-]+", " ", line).strip()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "tasks.py").write_text("from clusterlib.invoke import namespace\n")
    yield folder
    bring_down(all=True, project=folder)


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CLUSTERLIB_", *CI))}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_tells_to_type_works_and_prints_what_it_shows(document: Path, project: Path) -> None:
    require(document)
    for step in steps(document):
        where, command = f"{document.name}:{step.line}", step.text
        if step.kind == "python":
            (project / f"example_{step.line}.py").write_text(step.text)
            command = f"python example_{step.line}.py"
        elif step.kind == "diff":
            apply(step.text, project)
            continue
        elif step.kind == "session":
            for typed, shown, printed in replay(step.text.splitlines(), project, {"COLUMNS": "120"}):
                compare(shown, printed, f"{where}: {typed}")
            continue
        elif step.kind != "command":
            (project / step.kind).parent.mkdir(parents=True, exist_ok=True)
            (project / step.kind).write_text(step.text)
            continue
        if ELSEWHERE.match(command):
            continue
        done = run(command, project)
        assert done.returncode == step.exit_code, f"{where}: {command}\n{done.stdout}"
        compare(step.shown, done.stdout, f"{where}: {command}")


def compare(shown: list[str], output: str, where: str) -> None:
    """Whatever is shown must be printed; more may be printed than is shown."""
    printed = {shape(line) for line in output.splitlines()}
    for line in shown:
        if line.strip() not in {"", "..."}:
            assert shape(line) in printed, f"{where}\nshown:   {line}\nprinted:\n{output}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_has_the_project_of_that_name_on_an_index_installed(document: Path) -> None:
    """It is another one. Ours has a path, an address or a file before its name, or behind it."""
    text = document.read_text()

    assert not re.findall(r"pip3? install (?:\S+ )*[\"']?clusterlib(?:\[\w+\])?(?![\w.[-]| @)", text)


def require(document: Path) -> None:
    """Skips a document whose programs are not installed, unless all systems are required."""
    needed = re.findall(r"^<!-- needs: (.+) -->$", document.read_text(), re.MULTILINE)
    missing = [name for line in needed for name in line.split() if shutil.which(name) is None]
    if missing and os.environ.get("REQUIRE_SYSTEMS") != "1":
        pytest.skip(f"not installed: {', '.join(missing)}")


@cache
def tasks() -> list[str]:
    return re.findall(rf"^\s+{TASK}", run("invoke --list", REPOSITORY).stdout, re.MULTILINE)


def test_every_task_that_is_mentioned_exists(tmp_path: Path) -> None:
    known = [*tasks()]
    assert {name.partition(".")[0] for name in known} == {"cluster", "profile", "test"}
    for diff in (diff for document in DOCUMENTS for diff in diffs(document)):
        apply(diff, tmp_path)  # it may add operations, which are tasks, too
    known += [one.full_name for one in catalogue(tmp_path).operations]

    sources = [*DOCUMENTS, *(REPOSITORY / "clusterlib").rglob("*.py")]
    mentioned = {
        (path.name, task)
        for path in sources
        for task in re.findall(rf"(?:invoke |inv |-m clusterlib ){TASK}", path.read_text())
    }

    assert sorted((name, task) for name, task in mentioned if task not in known) == []


def test_every_task_is_documented() -> None:
    reference = (REPOSITORY / "docs" / "commands.md").read_text()

    assert [task for task in tasks() if task not in reference] == []


def test_every_relative_link_leads_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
