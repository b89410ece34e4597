"""What was examined: the health of a running cluster, and whether one could start here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterlib.doors.render.pieces import colour, several
from clusterlib.messages.findings import CheckOutcome, Finding

if TYPE_CHECKING:
    from clusterlib.doors.console import Cell, Console
    from clusterlib.operations.doctor import Diagnosis
    from clusterlib.operations.health import Health, Row

__all__ = ["diagnosis", "health"]

MARKS = {
    CheckOutcome.OK: ("ok", "green"),
    CheckOutcome.WARNING: ("warning", "yellow"),
    CheckOutcome.FAILED: ("FAILED", "red"),
    CheckOutcome.SKIPPED: ("-", "dim"),
}


def health(console: Console, result: Health) -> None:
    paint = console.paint
    mark = f" {paint('[SIMULATED]', 'magenta')}" if result.simulated else ""
    verdict = paint("healthy", "green") if result.healthy else paint("NOT healthy", "red")
    console.line(
        f"cluster {paint(result.cluster, 'bold')}{mark} is {verdict} ({result.state}), "
        f"{len(result.nodes)} nodes asked in {result.seconds:.2f} s"
    )
    _matrix(console, result)
    alike: dict[Finding, list[str]] = {}
    for node in result.nodes:
        for finding in node.checks:
            if finding.outcome in {CheckOutcome.FAILED, CheckOutcome.WARNING}:
                alike.setdefault(finding, []).append(node.node)
    for finding, names in alike.items():
        _finding(console, f"{several(names)}: {finding.name}", finding)


def _matrix(console: Console, result: Health) -> None:
    """Every check in a column of its own, or, where they do not fit, every group of checks."""
    several_roles = len({node.role for node in result.nodes}) > 1
    first = ["node", *(["role"] if several_roles else []), "state"]
    heads: list[list[Cell]] = [
        [node.node, *([node.role] if several_roles else []), (node.state, colour(node.state))]
        for node in result.nodes
    ]
    titles = [*first, *(name for _, name in result.columns)]
    rows = [
        [*head, *(_verdict(finding) for finding in node.checks)]
        for head, node in zip(heads, result.nodes, strict=True)
    ]
    columns = zip(titles, *rows, strict=True)
    if sum(max(len(_text(cell)) for cell in column) + 2 for column in columns) > console.width:
        groups = list(dict.fromkeys(group for group, _ in result.columns))
        titles = [*first, *groups]
        rows = [
            [*head, *(_summary(node, result, group) for group in groups)]
            for head, node in zip(heads, result.nodes, strict=True)
        ]
    console.table(titles, rows)


def _verdict(finding: Finding) -> Cell:
    word, colour = MARKS[finding.outcome]
    return (finding.evidence, colour) if finding.outcome is CheckOutcome.OK else (word, colour)


def _summary(node: Row, result: Health, group: str) -> Cell:
    """The worst of a group; if all is well, what it measured."""
    checks = zip(result.columns, node.checks, strict=True)
    findings = [finding for (its_group, _), finding in checks if its_group == group]
    for outcome in (CheckOutcome.FAILED, CheckOutcome.WARNING, CheckOutcome.SKIPPED):
        if any(finding.outcome is outcome for finding in findings):
            return MARKS[outcome]
    measured = [finding.evidence for finding in findings if any(c.isdigit() for c in finding.evidence)]
    return " ".join(measured) or "ok", MARKS[CheckOutcome.OK][1]


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def diagnosis(console: Console, result: Diagnosis) -> None:
    width = max(len(finding.name) for finding in result.findings)
    for finding in result.findings:
        word, colour = MARKS[finding.outcome]
        beginning = f"{console.paint(word.ljust(7), colour)} {finding.name.ljust(width)}  "
        console.paragraph(beginning, finding.evidence, indent=width + 10)
        for remedy in finding.remedies:
            console.line(f"{' ' * 8}{console.paint('try:', 'green')} {console.wording(remedy)}")
    count = sum(finding.outcome is CheckOutcome.FAILED for finding in result.findings)
    warned = sum(finding.outcome is CheckOutcome.WARNING for finding in result.findings)
    if count:
        verdict = console.paint(f"{count} of {len(result.findings)} checks failed", "red")
    else:
        verdict = console.paint(f"a cluster of profile {result.profile} can start here", "green")
    console.line(verdict + (f", {warned} warning{'' if warned == 1 else 's'}" if warned else ""))


def _finding(console: Console, title: str, finding: Finding) -> None:
    _, colour = MARKS[finding.outcome]
    console.paragraph(f"{console.paint(title, colour)}: ", finding.evidence, indent=len(title) + 2)
    for remedy in finding.remedies:
        console.line(f"  {console.paint('try:', 'green')} {console.wording(remedy)}")
