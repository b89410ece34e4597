"""The evidence of a failure has its source, its tracebacks and the logs, without secrets."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.functional.plugin.suite import Suite
from tests.schemas.junit import schema

pytestmark = pytest.mark.usefixtures("talks")


EXPLAINED = """
import shop

def test_color(cluster):
    code = "{secret}"
    cluster["node2"].run(print, "looking for", code)
    cluster["node2"].call("shop:color_of", "tea")

def test_checked_elsewhere(cluster):
    shop.check([1, 2], [1, 3])
"""
SHOP = """
def color_of(item):
    return {{"count": 3}}["color"]  # {secret}

def check(found, wanted):
    assert found == wanted
"""
SECRET = "sesame-open-yourself"


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "parallel"])
def test_a_failure_leaves_its_source_its_tracebacks_and_the_logs_without_secrets(
    suite: Suite, workers: list[str]
) -> None:
    suite.file("tests/test_talks.py", EXPLAINED.format(secret=SECRET))
    suite.file("shop.py", SHOP.format(secret=SECRET))

    suite.run("--distributed", "--junitxml=given.xml", *workers, PYTHONPATH=".", SHOP_PASSWORD=SECRET)

    (folder,) = suite.reports
    ended = {one["test"].partition("::")[2]: one["explained"] for one in suite.records("test.ended")}
    (source,) = ended["test_color"]["sources"]
    assert (source["file"], source["line"], source["function"]) == ("tests/test_talks.py", 7, "test_color")
    assert source["lines"][source["line"] - source["first"]].strip().startswith('cluster["node2"].call(')
    (remote,) = ended["test_color"]["remotes"]
    assert remote["node"] == "node2"
    assert 'File "shop.py", line 3, in color_of' in remote["traceback"]
    places = [(one["file"], one["line"]) for one in ended["test_checked_elsewhere"]["sources"]]
    assert places == [("tests/test_talks.py", 10), ("shop.py", 6)]
    page = (folder / "report.html").read_text()
    assert "Traceback on <b>node2</b>" in page
    for file in (suite.path / "given.xml", folder / "junit.xml"):
        schema().validate(file)
        cases = {case.get("name"): case for case in ET.parse(file).getroot().iter("testcase")}
        assert "KeyError: 'color'" in str(cases["test_color"].findtext("failure"))
        assert "looking for [redacted]" in str(cases["test_color"].findtext("system-out"))
    texts = {str(path): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert [path for path, text in texts.items() if SECRET in text] == []


def test_what_pytest_writes_among_the_artifacts_has_no_secrets(suite: Suite) -> None:
    secret = 'open <"sesame"> & now'
    suite.file("tests/test_talks.py", f"def test_it(cluster):\n    assert {secret!r} == 3\n")

    suite.run("--distributed", "--cluster-artifacts=out", "--junitxml=out/junit.xml", SHOP_PASSWORD=secret)

    (case,) = ET.parse(suite.path / "out" / "junit.xml").getroot().iter("testcase")
    failure = case.find("failure")
    assert failure is not None
    assert "assert [redacted] == 3" in str(failure.text)
    assert "sesame" not in (suite.path / "out" / "junit.xml").read_text()


def test_a_huge_difference_is_cut_to_its_beginning_and_its_end(suite: Suite) -> None:
    suite.file(
        "tests/test_talks.py",
        "def test_it(cluster):\n    assert 'begin' + 'a' * 3_000_000 + 'end' == '', 'x' * 3_000_000\n",
    )

    suite.run("--distributed", "--cluster-artifacts=out")

    (ended,) = suite.records("test.ended", suite.path / "out")
    assert len(ended["explained"]["traceback"]) < 20_000
    assert "characters are left out" in ended["explained"]["traceback"]
    assert (suite.path / "out" / "report.html").stat().st_size < 200_000
