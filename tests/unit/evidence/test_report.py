"""The page: one file, readable without scripts, safe whatever nodes say, and never too large."""

from __future__ import annotations

import html
import re
import shlex
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest

from clusterlib.evidence.building import build_story
from clusterlib.evidence.evidence import Evidence
from clusterlib.evidence.machine import Environment
from clusterlib.evidence.report import make_report
from tests.unit.evidence.stage import ToldRun, event, failed, looks, ran, read, record

STARTED = record(0, "run.started", argv=["pytest", "--distributed"], project="/home/me/shop")
OVER = record(900, "run.ended", exit_code=1)
VOID = {"meta", "link", "input", "br", "img", "wbr"}


class Parsed(HTMLParser):
    """What a page consists of; complains about tags that are not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: Counter[str] = Counter()
        self.tags: Counter[str] = Counter()
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == [], "tags that are never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            self.attributes[name] += 1
            if name == "id" and value:
                self.ids.append(value)
            if name in {"href", "src"} and value:
                self.links.append(value)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} is closed where it was not open"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"}:
            self.text += data


def page(records: list[dict[str, Any]], *runs: ToldRun, **environment: Any) -> str:
    evidence = Evidence(sorted(read(records), key=lambda one: one.time), list(runs))
    return make_report(build_story(evidence), evidence, Environment(**environment))


def life(nodes: int = 3, lines: int = 2, **facts: Any) -> ToldRun:
    names = [f"node{number}" for number in range(1, nodes + 1)]
    events = [event(0.1, "node.state", node=name, state="starting") for name in names]
    events += [event(0.2, "node.state", node=name, state="ready", seconds=0.1) for name in names]
    events += [
        event(1.5, "fault.kill", node="node2"),
        event(1.5, "node.state", node="node2", state="dead", reason="killed by SIGKILL"),
    ]
    said = [
        (1 + number / 1000, name, f"line {number} of {name}") for number in range(lines) for name in names
    ]
    samples = [
        {"time": event(at, "").time, "nodes": {"node1": {"memory": 2**20 * at, "cpu": at / 10}}}
        for at in range(1, 9)
    ]
    return ToldRun(events=events, lines=said, samples=looks(samples), **facts)


WHOLE = [
    STARTED,
    record(0.1, "preflight", profile="dev", findings=[]),
    record(0.1, "schedule", groups=[{"profile": "dev", "nodes": 3, "tests": ["a", "b"]}]),
    record(
        0.2,
        "cluster.started",
        cluster="pytest",
        run="/r/run1",
        profile="dev",
        nodes=3,
        seconds=0.1,
        how="started",
    ),
    *ran(
        1,
        1.8,
        "tests/test_a.py::test_crash",
        "failed",
        message="assert 1 == 2",
        file="tests/test_a.py",
        line=3,
    ),
    *ran(2, 3, "tests/test_a.py::test_fine"),
    failed(4),
    OVER,
]


def test_the_first_things_said_are_the_verdict_and_what_failed() -> None:
    text = re.sub(r"\s+", " ", Parsed(page(WHOLE, life())).text)

    order = [
        "1 of 2 tests failed",
        "What failed",
        "assert 1 == 2",
        "The test killed node2 300 ms before it failed.",
        "ss -ltnp",
        "Timeline",
    ]
    places = [text.index(part, 400 if part == "Timeline" else 0) for part in order]
    assert places == sorted(places)


EXPLAINED = {
    "sources": [
        {
            "file": "tests/test_a.py",
            "line": 8,
            "function": "test_color",
            "first": 7,
            "lines": ["def test_color(cluster):", '    assert node.call("shop:color") == "green"'],
        }
    ],
    "remotes": [{"node": "node3", "traceback": "Traceback: in color\nKeyError: 'color'"}],
    "traceback": "the whole traceback of the test",
}


def test_a_failure_shows_the_failing_line_in_its_source_and_the_tracebacks() -> None:
    failing = ran(1, 2, "tests/test_a.py::test_color", "failed", message="KeyError", explained=EXPLAINED)

    parsed = Parsed(page([STARTED, *failing, OVER], life()))

    for told in (
        "tests/test_a.py:8 in test_color",
        "  7 | def test_color(cluster):\n> 8 |     assert node.call",
        "Traceback on node3\nTraceback: in color\nKeyError: 'color'",
        "the whole traceback of the test",
    ):
        assert told in parsed.text
    assert parsed.text.index("> 8 |") < parsed.text.index("Traceback on node3")


def test_a_traceback_that_says_no_more_than_the_message_is_not_shown_again() -> None:
    failing = ran(1, 2, "t::a", "error", message="Failed: no cluster", explained={"traceback": "no cluster"})

    assert "Traceback of the test" not in page([STARTED, *failing, OVER])


def test_tracebacks_of_many_failures_leave_the_page_of_bearable_size() -> None:
    long = {**EXPLAINED, "traceback": '"<x>"' * 3200}
    records = [
        entry
        for number in range(60)
        for entry in ran(1 + number, 2 + number, f"t::{number}", "failed", message="m", explained=long)
    ]

    text = page([STARTED, *records, OVER], life())

    assert len(text.encode()) < 2_000_000
    assert "The traceback is in" in text


def test_times_of_day_stand_beside_the_times_since_the_start() -> None:
    text = page(WHOLE, life())

    assert "<time>08:00:01.500</time> <small>+1.500 s</small>" in text
    assert "node2 was killed at 08:00:01.500, 1.5 s after the start" in text


def test_clusters_are_told_in_the_order_of_their_names() -> None:
    started = [
        record(0.1 * place, "cluster.started", cluster=name, run="/r/run1", profile="dev", nodes=3)
        for place, name in enumerate(["pytest-10", "pytest-2", "pytest"])
    ]
    runs = [life(cluster=name) for name in ("pytest-10", "pytest-2", "pytest")]

    parsed = Parsed(page([STARTED, *started, OVER], *runs))

    for section, until in (
        ("Timeline", "Clusters"),
        ("Clusters", "What the nodes took"),
        ("What the nodes took", "Log"),
    ):
        part = parsed.text.rpartition(f"\n{section}\n")[2].partition(f"\n{until}\n")[0]
        places = [re.search(rf"\b{name}(?![-\d])", part) for name in ("pytest", "pytest-2", "pytest-10")]
        begins = [place.start() for place in places if place]
        assert len(begins) == 3, section
        assert begins == sorted(begins), section


def test_outcomes_can_be_chosen_where_there_are_several() -> None:
    parsed = Parsed(page(WHOLE, life()))

    assert {"show-all", "show-passed", "show-failed"} <= set(parsed.ids)
    assert "show-all" not in Parsed(page([STARTED, *ran(1, 2), OVER])).ids


def test_every_link_leads_somewhere_and_no_place_has_two_names() -> None:
    parsed = Parsed(page(WHOLE, life()))

    assert [name for name, count in Counter(parsed.ids).items() if count > 1] == []
    inner = {link[1:] for link in parsed.links if link.startswith("#")}
    assert inner <= set(parsed.ids)
    assert {"m1", "f1", "t2", "e1", "j1"} <= inner


def test_the_page_needs_nothing_but_itself() -> None:
    text = page(WHOLE, life())
    parsed = Parsed(text)

    assert [link for link in parsed.links if re.match(r"(https?:)?//", link)] == []
    assert re.findall(r"@import|url\((?!#)", text) == []
    assert parsed.attributes["style"] == 0, "an inline style is forbidden where scripts are"
    assert [name for name in parsed.attributes if name.startswith("on")] == []
    assert parsed.tags["img"] == parsed.tags["iframe"] == 0


def test_what_a_node_says_stays_text() -> None:
    evil = "</pre><script>alert(1)</script><img src=x onerror=alert(2)> &lt; {{ 7 * 7 }} ]]>"
    records = [
        STARTED,
        *ran(1, 2, f"t::{evil}", "failed", message=evil, cluster="pytest", file=evil),
        failed(3, evil),
        OVER,
    ]
    run = life()
    run.lines.append((1.5, "node1", evil))

    parsed = Parsed(page(records, run, variables={"CI": evil}))

    assert parsed.tags["script"] == 1
    assert parsed.tags["img"] == 0
    assert "{{ 7 * 7 }}" in parsed.text


def test_states_and_outcomes_are_told_by_words_and_forms_too() -> None:
    text = page(WHOLE, life())

    assert "<title>node2: dead for" in text
    assert "<title>tests/test_a.py::test_crash" in text
    assert text.count('class="badge failed"') >= 2


def test_a_picture_without_its_style_still_has_colours() -> None:
    """Some CI systems forbid style sheets inside a page."""
    rects = re.findall(r"<rect [^>]*>", page(WHOLE, life()))

    assert rects
    assert [rect for rect in rects if "fill=" not in rect and "pattern" not in rect] == []


@pytest.mark.parametrize(
    ("tests", "nodes", "lines"),
    [(3000, 3, 10), (40, 100, 300), (400, 5, 3000)],
    ids=["tests", "nodes", "lines"],
)
def test_a_large_run_makes_a_page_of_bearable_size(tests: int, nodes: int, lines: int) -> None:
    records = [STARTED, OVER]
    for number in range(tests):
        outcome = "failed" if number % 4 == 0 else "passed"
        begin = 1 + number * 0.05
        records += ran(begin, begin + 0.04, f"tests/test_a.py::test_{number}", outcome, message="x" * 20_000)

    text = page(records, life(nodes, lines))

    assert len(text.encode()) < 2_000_000
    Parsed(text)


def test_what_is_left_out_is_said_with_the_place_where_it_is() -> None:
    records = [STARTED, *ran(1, 5, outcome="failed"), OVER]

    parsed = Parsed(page(records, life(lines=5000)))

    assert re.search(r"\d+ earlier lines of node1 are in", parsed.text)
    assert "clusters/pytest/run1/logs/node1.log" in parsed.links


@pytest.mark.parametrize(
    "records",
    [
        [],
        [STARTED],
        [STARTED, failed(1)],
        [STARTED, ran(1, 2)[0]],
        [*ran(1, 1, outcome="skipped", cluster=None, run=None)],
        [STARTED, record(1, "schedule", groups=7), record(1, "health", nodes=3), OVER],
        [STARTED, record(1, "schedule", groups=[{"tests": 3}], private=4, impossible={}), OVER],
        [STARTED, record(1, "schedule", groups=[{"profile": None}, 3, {}]), OVER],
        [record(1, "cluster.started", cluster="pytest", nodes=None, seconds="soon", how=4)],
    ],
)
def test_however_little_is_known_there_is_a_page(records: list[dict[str, Any]]) -> None:
    for runs in ([], [ToldRun()], [life()]):
        parsed = Parsed(page(records, *runs))
        assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)


def test_the_plan_is_told_in_words_that_fit_the_numbers() -> None:
    groups = [
        {"profile": "dev", "nodes": 3, "exact": False, "tests": ["a", "b"]},
        {"profile": "dev", "nodes": 1, "exact": True, "tests": ["c"]},
    ]
    schedule = record(1, "schedule", groups=groups, private=["d"], impossible=[{"test": "e"}, {"test": "f"}])

    told = Parsed(page([STARTED, schedule, OVER])).text

    assert "dev, 3 nodes: 2 tests" in told
    assert "dev, exactly 1 node: 1 test" in told
    assert "clusters that tests start for themselves: 1 test" in told
    assert "can never be served: 2 tests" in told


@pytest.mark.parametrize(
    ("said", "again"),
    [
        ([], []),
        (["--profile", "shop", "-n2", "--profile"], ["--cluster-profile=shop"]),
        (
            ["--cluster-size", "4", "--cluster-profile=it's"],
            ["--cluster-size=4", "--cluster-profile=it's"],
        ),
    ],
)
def test_the_command_that_runs_a_test_alone_is_one_for_a_shell(said: list[str], again: list[str]) -> None:
    test = "tests/test_it.py::test_name[it's $HOME]"
    started = record(0, "run.started", argv=["pytest", "--distributed", *said], project="/home/me/shop")

    told = page([started, *ran(1, 2, test, "failed"), OVER]).partition("Run it alone")[2]
    told = told.replace("<wbr>", "")
    (command,) = re.findall("<code>(pytest .*)</code>", told)
    assert shlex.split(html.unescape(command)) == ["pytest", "--distributed", *again, test]
