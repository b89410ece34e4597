"""For GitHub: annotations on the lines of failing tests, and a summary of the job in Markdown.

Returns texts, which a door prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from clusterlib.evidence.explained import shortened
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.story import Failure, Served, Story, Trouble, duration
from clusterlib.evidence.verdict import judge

__all__ = ["LARGEST_SUMMARY", "job_summary", "workflow_commands"]

LARGEST_SUMMARY = 1024 * 1024
"""Bytes that GitHub takes of one step; of more it takes nothing."""
MOST_ANNOTATIONS = 10
"""GitHub shows ten errors of a step, and drops the others without a word."""
MOST_ROWS = 100
LONGEST_MESSAGE = 1200


def workflow_commands(story: Story, root: Path | None = None) -> Iterator[str]:
    """A workflow command for each failing test, and for what failed outside of tests.

    `root`: of the repository."""
    chosen = story.failures[:MOST_ANNOTATIONS]
    for failure in chosen:
        test = failure.tested
        lines = [_brief(test.message) or str(test.outcome), failure.cause, failure.did, *failure.remedies[:3]]
        place = {}
        if test.file:
            place = {"file": _from_root(test.file, story.project, root), "line": str(test.line or 1)}
        yield _command("error", {**place, "title": test.test}, "\n".join(line for line in lines if line))
    for trouble in story.troubles[: MOST_ANNOTATIONS - len(chosen)]:
        lines = [trouble.problem, trouble.cause, *(f"try: {remedy}" for remedy in trouble.remedies)]
        title = f"{trouble.where} [{trouble.code}]"
        yield _command("error", {"title": title}, "\n".join(line for line in lines if line))


def job_summary(story: Story, largest: int = LARGEST_SUMMARY, title: str = "Distributed tests") -> str:
    """What goes to $GITHUB_STEP_SUMMARY: the verdict, what failed and why, what to do, the
    clusters."""
    verdict = judge(story)
    sign = {"good": ":white_check_mark:", "bad": ":x:"}.get(verdict.tone, ":hourglass:")
    parts = [f"## {_plain(title)}\n\n{sign} **{_plain(verdict.sentence)}** {_plain(verdict.besides)}\n\n"]
    parts += [_failure(failure) for failure in story.failures[:MOST_ROWS]]
    if len(story.failures) > MOST_ROWS:
        parts.append(f"{len(story.failures) - MOST_ROWS} more tests failed.\n\n")
    parts += [_trouble(trouble) for trouble in story.troubles[:MOST_ROWS]]
    table = _clusters(story)
    return _bounded(parts, table, largest)


def _bounded(parts: list[str], table: str, largest: int) -> str:
    """The table of clusters is small and always included; of the rest as much as fits."""
    note = "\nMore is in report.html.\n"
    left = largest - len(table.encode()) - len(note.encode())
    kept: list[str] = []
    for part in parts:
        left -= len(part.encode())
        if left < 0:
            break
        kept.append(part)
    text = "".join(kept) + table + (note if len(kept) < len(parts) else "")
    return text if len(text.encode()) <= largest else text.encode()[:largest].decode(errors="ignore")


def _failure(failure: Failure) -> str:
    test = failure.tested
    where = f" at `{test.file}{':' + str(test.line) if test.line is not None else ''}`" if test.file else ""
    cluster = f", cluster {_plain(test.cluster)}" if test.cluster else ""
    outcome = "was cut short" if test.outcome is Outcome.CUT else str(test.outcome)
    lines = [f"### {_code(test.test)}\n", f"{outcome} after {duration(test.seconds)}{cluster}{where}\n"]
    lines += [f"**{_plain(clause)}**\n" for clause in (failure.cause, failure.did) if clause]
    if test.message:
        lines.append(_block(_brief(test.message)))
    for source in test.explained.sources:
        code = "\n".join(text for text, _ in source.numbered())
        lines.append(f"`{source.file}:{source.line}`\n{_block(code)}")
    for remote in test.explained.remotes:
        lines.append(
            f"Traceback on {_plain(remote.node)}\n{_block(shortened(remote.traceback, LONGEST_MESSAGE))}"
        )
    for stacks in test.explained.stacks:
        lines.append(f"{_plain(stacks.title)}\n{_block(shortened(stacks.text, LONGEST_MESSAGE))}")
    return "\n".join(lines) + _remedies(failure.remedies) + "\n"


def _trouble(trouble: Trouble) -> str:
    cost = f"; it cost {trouble.tests} test{'s' if trouble.tests != 1 else ''}" if trouble.tests else ""
    tried = f", tried {trouble.attempts} times" if trouble.attempts > 1 else ""
    lines = [f"### {_plain(trouble.problem)}\n", f"`{trouble.code}`, {_plain(trouble.where)}{tried}{cost}\n"]
    if trouble.cause:
        lines.append(f"{_plain(trouble.cause)}\n")
    if trouble.evidence:
        lines.append(_block(_brief("\n".join(trouble.evidence))))
    return "\n".join(lines) + _remedies(trouble.remedies) + "\n"


def _remedies(remedies: tuple[str, ...]) -> str:
    return "\nWhat to do:\n" + _block("\n".join(remedies)) if remedies else ""


def _clusters(story: Story) -> str:
    if not story.clusters:
        return ""
    head = "| cluster | profile | nodes | start | tests | failed | healed | peak memory | CPU time |\n"
    rule = "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    rows = "".join(_row(served) for served in story.clusters[:MOST_ROWS])
    return f"\n{head}{rule}{rows}"


def _row(served: Served) -> str:
    start = duration(served.start_seconds) if served.start_seconds is not None else "never ready"
    memory = f"{served.peak_memory / 2**20:.1f} MiB" if served.peak_memory else "-"
    cpu = duration(served.cpu_seconds) if served.cpu_seconds else "-"
    name = served.cluster + (" (SIMULATED)" if served.simulated else "")
    cells = [
        name,
        served.profile,
        served.nodes,
        start,
        served.tests,
        served.failed,
        served.healed,
        memory,
        cpu,
    ]
    return "| " + " | ".join(_plain(str(cell)).replace("|", "\\|") for cell in cells) + " |\n"


def _command(name: str, properties: dict[str, str], message: str) -> str:
    parameters = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {parameters}::{_data(message)}"


def _data(text: str) -> str:
    """A message is one line: what would end it is escaped."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _from_root(file: str, project: str, root: Path | None) -> str:
    """GitHub wants the path from the root of the repository; tests know it from the root of their
    project."""
    path = Path(project, file) if project else Path(file)
    if root is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return file


def _brief(text: str) -> str:
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]} ..."


def _plain(text: str) -> str:
    """Text without a meaning in Markdown."""
    return re.sub(r"([\\`*_\[\]<>#])", r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """A code span with any content."""
    text = " ".join(text.split())
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _block(text: str) -> str:
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{fence}\n{text}\n{fence}\n"
