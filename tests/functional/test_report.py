"""The report of a real run in a real browser shows what failed, what was killed and remedies."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import clusterlib
from clusterlib.errors import StartError
from clusterlib.evidence.explained import Explained, Remote, Source
from clusterlib.evidence.outcome import Outcome
from clusterlib.evidence.recorder import Recorder
from clusterlib.evidence.records import (
    ClusterEnded,
    ClusterObtained,
    ClusterRefused,
    RunEnded,
    RunStarted,
    TestEnded,
    TestStarted,
)
from clusterlib.evidence.reporting import finish
from clusterlib.messages.recorded import RecordedError
from clusterlib.messages.uses import AfterRefusal
from clusterlib.rundir.folders import latest_run
from tests.functional.browser import Page, browser, find_browser
from tests.functional.conftest import Up

FAILING = "tests/test_stock.py::test_the_total_survives_a_crash"
REMEDY = "invoke cluster.logs node"
"""Of the node that gave up first, whichever that was."""
EXPLAINED = Explained(
    (
        Source(
            "tests/test_stock.py",
            12,
            "test_the_total_survives_a_crash",
            11,
            (
                "    cluster['node2'].kill()",
                "    assert total(cluster['node1']) == 8, 'the totals differ'",
            ),
        ),
    ),
    (Remote("node1", "Traceback (most recent call last):\\nKeyError: 'color'"),),
    "E   AssertionError: the totals differ",
)
SAID = "put 1 tea into the store"
SECRET = "sesame-open-yourself"
SHOP = f"""
def put(item):
    print(f"put 1 {{item}} into the store, with {SECRET}", flush=True)
"""
SEEN = """
(selector, text) => [...document.querySelectorAll(selector)].some((element) => {
  if (text && !element.textContent.includes(text)) return false;
  const box = element.getBoundingClientRect(), opacity = Number(getComputedStyle(element).opacity);
  return box.width > 0 && box.height > 0 && opacity > 0.3 && element.checkVisibility({visibilityProperty: true});
})
"""
"""Whether an element with that text takes up room on the page and can be seen there."""
INSIDE = """
(selector) => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return box.left >= 0 && box.right <= innerWidth;
}
"""
BROKEN_WORDS = """
(selector) => {
  const found = [];
  for (const element of document.querySelectorAll(selector)) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let before = "", top = null;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      for (let place = 0; place < node.length; place++) {
        const range = document.createRange();
        range.setStart(node, place);
        range.setEnd(node, place + 1);
        const box = range.getBoundingClientRect();
        if (!box.width) { before += node.data[place]; continue; }
        if (top !== null && box.top > top + 4 && /[A-Za-z0-9]$/.test(before)) found.push(before + "|" + node.data.slice(place));
        before += node.data[place];
        top = box.top;
      }
    }
  }
  return found;
}
"""
"""Where an element goes on in another line in the middle of a word."""
COVERED = """
() => [...document.querySelectorAll("pre.command")].filter((block) => {
  const button = block.querySelector("button").getBoundingClientRect();
  const range = document.createRange();
  range.selectNodeContents(block.querySelector("code"));
  return [...range.getClientRects()].some((box) =>
    box.right > button.left && box.left < button.right && box.bottom > button.top && box.top < button.bottom);
}).length
"""
"""How many commands are covered by their button."""
OUTCOMES = """
() => [...document.querySelectorAll(".tests tbody tr")].filter((row) => row.checkVisibility()).map((row) => row.className)
"""
BRIGHTNESS = (
    "Math.max(...getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number))"
)


@pytest.fixture(scope="module")
def program() -> str:
    found = find_browser()
    if found is None and os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail("REQUIRE_BROWSER=1, and there is no Chromium on PATH")
    if found is None:
        pytest.skip("there is no Chromium on PATH")
    return found


@pytest.fixture(scope="module")
def page(program: str) -> Iterator[Page]:
    with browser(program) as opened:
        yield opened


@pytest.fixture
def artifacts(project: Path, up: Up, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a test run left: a test that passed, one that killed a node and failed, and a start that
    failed."""
    (project / "shop.py").write_text(SHOP)
    folder = project / "artifacts"
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    record = Recorder(folder)
    record(RunStarted(("pytest", "--distributed"), str(project), "3", "0"))
    _fail_to_start(project, up, monkeypatch, record)
    cluster = up("dev", name="pytest")
    run = str(cluster.run_folder.path)
    record(ClusterObtained(cluster.name, run, "dev", 3, 0.1))

    def fine() -> None:
        cluster["node1"].call("shop:put", "cups")

    def crash() -> None:
        cluster["node2"].kill()
        cluster.wait_until(lambda: len(cluster["node1"].members()) == 2)
        cluster["node1"].call("shop:put", "tea")
        raise AssertionError("assert 7 == 8: the totals differ")

    _test(record, cluster, "tests/test_stock.py::test_fine", fine)
    _test(record, cluster, FAILING, crash)
    cluster.down()
    record(ClusterEnded(cluster.name, run, 1.0))
    record(RunEnded(1))
    record.close()
    finish(folder)
    return folder


def _fail_to_start(project: Path, up: Up, monkeypatch: pytest.MonkeyPatch, record: Recorder) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("CLUSTERLIB_PYTHON_APP", "shop:missing")
        with pytest.raises(StartError) as caught:
            up("dev", name="broken")
    run = latest_run(project, "broken")
    assert run is not None
    error = RecordedError.of(caught.value)
    record(ClusterRefused("broken", str(run.path), "dev", 3, error=error, next=AfterRefusal.SKIP))


def _test(record: Recorder, cluster: clusterlib.Cluster, name: str, body: Callable[[], None]) -> None:
    run = str(cluster.run_folder.path)
    cluster.take_turn(name)
    began = record(TestStarted(cluster.name, run, name)).time
    start = time.monotonic()
    outcome, message = Outcome.PASSED, ""
    try:
        body()
    except AssertionError as error:
        outcome, message = Outcome.FAILED, str(error)
    cluster.end_turn()  # after which all that the nodes printed is in their logs
    seconds = time.monotonic() - start
    record(
        TestEnded(
            cluster.name,
            run,
            name,
            "tests/test_stock.py",
            12,
            outcome=outcome,
            seconds=seconds,
            message=message,
            explained=EXPLAINED if outcome.bad else None,
            began=began,
        )
    )


def sees(page: Page, selector: str, text: str = "") -> bool:
    return bool(page.evaluate(f"({SEEN})({json.dumps(selector)}, {json.dumps(text)})"))


def what_matters_is_seen(page: Page) -> None:
    assert sees(page, "h1", "1 of 2 tests failed")
    assert sees(page, ".failure h3", FAILING)
    assert sees(page, ".failure .message", "assert 7 == 8: the totals differ")
    assert sees(page, ".source strong", "> 12 |     assert total(cluster['node1']) == 8"), "the failing line"
    assert sees(page, ".source", "Traceback on node1")
    assert sees(page, ".failure .deed", "The test killed node2")
    assert sees(page, ".failure .log .line", SAID), "what a node said during the test"
    assert sees(page, ".trouble .command", REMEDY), "what to do about the start that failed"
    assert sees(page, "svg.picture .sign.kill", "node2 was killed"), "the killed node, in the timeline"
    assert sees(page, "svg.picture .test.failed rect")
    assert sees(page, "svg.picture rect.state.dead")


def test_what_failed_is_seen_in_a_browser(artifacts: Path, page: Page, tmp_path: Path) -> None:
    page.look(1280, 900)
    page.open(artifacts / "report.html")

    shot = page.screenshot(tmp_path / "report.png")

    assert shot.stat().st_size > 20_000
    what_matters_is_seen(page)
    assert page.evaluate(BRIGHTNESS) > 200
    first = page.evaluate("document.querySelector('.failure').getBoundingClientRect().top < innerHeight")
    assert first, "what failed is on the first screen"


def test_it_is_all_there_without_scripts_on_a_phone_and_in_the_dark(
    artifacts: Path, page: Page, tmp_path: Path
) -> None:
    page.look(390, 844, dark=True, scripts=False)
    page.open(artifacts / "report.html")

    page.screenshot(tmp_path / "phone.png")

    assert not sees(page, "button"), "no script has run"
    what_matters_is_seen(page)
    width, inner = page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    assert width <= inner == 390
    assert page.evaluate(f"({INSIDE})('.failure h3')")
    assert (
        page.evaluate(f"({BROKEN_WORDS})('.failure h3, .tests tbody th, .command code, .facts code')") == []
    )
    lines = "(h => h.getBoundingClientRect().height / parseFloat(getComputedStyle(h).lineHeight))"
    assert page.evaluate(f"{lines}(document.querySelector('h1'))") < 2.5, "two lines at most"
    assert page.evaluate(
        "document.querySelector('.scroll').scrollWidth > document.querySelector('.scroll').clientWidth"
    )
    assert page.evaluate(BRIGHTNESS) < 60


def test_a_click_on_the_killed_node_leads_to_its_line_in_the_log(artifacts: Path, page: Page) -> None:
    page.look(1280, 900, scripts=False)
    page.open(artifacts / "report.html")

    page.evaluate(
        "document.querySelector('.sign.kill').dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))"
    )

    assert "node2 was killed" in page.evaluate("document.querySelector(':target').textContent")
    top, height = page.evaluate(
        "[document.querySelector(':target').getBoundingClientRect().top, innerHeight]"
    )
    assert 0 <= top < height, "it was scrolled to"


def test_tests_can_be_chosen_by_their_outcome_without_scripts(artifacts: Path, page: Page) -> None:
    page.look(1280, 900, scripts=False)
    page.open(artifacts / "report.html")

    found = {}
    for outcome in ("failed", "passed", "all"):
        page.evaluate(f"document.querySelector('#show-{outcome}').closest('label').click()")
        found[outcome] = page.evaluate(f"({OUTCOMES})()")

    assert found == {"failed": ["failed"], "passed": ["passed"], "all": ["passed", "failed"]}


def test_what_cannot_work_without_its_style_is_not_shown_without_it(artifacts: Path, page: Page) -> None:
    page.look(1280, 900, scripts=False)
    page.open(artifacts / "report.html")
    assert sees(page, ".outcomes")

    page.evaluate("document.querySelector('style').remove()")

    assert not sees(page, ".outcomes")
    assert page.evaluate(f"({OUTCOMES})()") == ["passed", "failed"]
    assert sees(page, ".source strong", "> 12 |     assert total")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_button_that_copies_a_command_does_not_cover_it(artifacts: Path, page: Page, width: int) -> None:
    page.look(width, 900)
    page.open(artifacts / "report.html")

    assert sees(page, ".command button", "Copy")
    assert page.evaluate(f"({COVERED})()") == 0


def test_scripts_add_comfort(artifacts: Path, page: Page) -> None:
    page.look(1280, 900)
    page.open(artifacts / "report.html")

    before = page.evaluate("document.querySelector('svg.picture').getBoundingClientRect().width")
    page.evaluate(
        "document.querySelector('.zoom button:last-child').click(); document.querySelector('.zoom button:last-child').click()"
    )

    assert sees(page, ".command button", "Copy")
    assert page.evaluate("document.querySelector('svg.picture').getBoundingClientRect().width") > before


def test_the_folder_tells_no_secret_and_the_nodes_lived_as_they_are_drawn(artifacts: Path) -> None:
    texts: dict[str, Any] = {str(path): path.read_text() for path in artifacts.rglob("*") if path.is_file()}

    assert [path for path, text in texts.items() if SECRET in text] == []
    assert any(SAID in text for text in texts.values())
    summary = json.loads((artifacts / "summary.json").read_text())
    assert summary["failures"][0]["did"].startswith("the test killed node2")
    assert summary["troubles"][0]["remedies"][0].startswith(REMEDY)
    assert {cluster["cluster"] for cluster in summary["clusters"]} == {"pytest", "broken"}
