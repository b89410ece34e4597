"""Code is imported, tests run and the report is whole in a folder with an odd name."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.functional.plugin.suite import Suite
from tests.odd_names import ODD

SHOP = """
stock = {}

def put(item, count):
    print("put", item, flush=True)
    stock[item] = stock.get(item, 0) + count
    return stock[item]
"""
TESTS = """
import shop

def test_the_code_of_the_project_is_imported_by_its_nodes(cluster):
    assert cluster["node1"].call("shop:put", "tea", 3) == 3
    assert cluster["node2"].run(lambda: shop.put("tea", 1)) == 1

def test_fails(cluster):
    cluster["node1"].call("shop:put", "käse", 3)
    assert False
"""


@pytest.fixture
def suite(suite: Suite) -> Suite:
    moved = suite.path / ODD
    moved.mkdir()
    (suite.path / "pyproject.toml").rename(moved / "pyproject.toml")
    suite.path = moved
    suite.file("shop.py", SHOP)
    suite.file("tests/test_shop.py", TESTS)
    return suite


def test_tests_run_and_every_link_of_the_report_leads_somewhere(suite: Suite) -> None:
    ended = suite.run("--distributed")

    assert ended.last == "1 failed, 1 passed"
    assert "put käse" in ended.text
    assert f"report of this run: {suite.reports[-1]}/report.html" in ended.text
    assert dead_links(suite.reports[-1] / "report.html") == []


def test_a_report_links_what_lies_beside_it_and_nothing_else(suite: Suite) -> None:
    suite.run("--distributed", "--cluster-artifacts=out", "--junitxml=out/junit.xml")
    assert dead_links(suite.path / "out" / "report.html") == []

    remade = suite.python("-m", "clusterlib", "test.report", "out")
    assert remade.code == 0
    assert 'href="junit.xml"' in (suite.path / "out" / "report.html").read_text()
    assert dead_links(suite.path / "out" / "report.html") == []


def test_so_does_the_report_of_a_run_without_a_cluster(suite: Suite) -> None:
    suite.file("tests/test_broken.py", "import shopp\n")

    assert suite.run("--distributed").code == 2

    assert dead_links(suite.reports[-1] / "report.html") == []


def dead_links(report: Path) -> list[str]:
    """Links that lead to no file beside the report, and to no place in it."""
    text = report.read_text()
    found = {html.unescape(link) for link in re.findall(r'\b(?:href|src)="([^"]*)"', text)}
    assert found
    return sorted(
        link
        for link in found - {"data:,"}
        if not (
            f'id="{link[1:]}"' in text
            if link.startswith("#")
            else (report.parent / unquote(link.partition("#")[0])).exists()
        )
    )
