"""Operations of the project over REST: new, changed and broken files."""

from __future__ import annotations

import json
from pathlib import Path

from tests.functional.web.client import Client

PRICE = '''
from clusterlib.operations import operation


@operation(effect="read", group="shop")
def price(*, item: str) -> dict[str, object]:
    """The price of an item."""
    return {"item": item, "cents": 250}
'''


def test_an_operation_of_the_project_is_there_without_a_restart(client: Client, project: Path) -> None:
    assert client.get("/api/shop/price").status == 404
    folder = project / "operations"
    folder.mkdir()
    (folder / "price.py").write_text(PRICE)

    answer = client.get("/api/shop/price", item="tea")

    assert (answer.status, answer.document) == (200, {"item": "tea", "cents": 250})
    assert "/api/shop/price" in client.get("/api/openapi.json").document["paths"]


def test_a_failure_in_an_operation_is_a_problem_with_its_line(client: Client, project: Path) -> None:
    folder = project / "operations"
    folder.mkdir()
    (folder / "price.py").write_text(PRICE.replace("return", "1 / 0\n    return"))

    answer = client.get("/api/shop/price", item="tea")

    assert (answer.status, answer.document["code"]) == (500, "operation-broken")
    assert "ZeroDivisionError" in answer.document["detail"]
    assert answer.document["evidence"] == [f"{folder / 'price.py'}:8: 1 / 0"]


def test_a_broken_file_is_named_where_something_is_not_found(client: Client, project: Path) -> None:
    folder = project / "operations"
    folder.mkdir()
    (folder / "price.py").write_text("from clusterlib.operations import operation\n\ndef (:\n")

    answer = client.get("/api/shop/price")

    assert answer.status == 404
    assert answer.document["evidence"] == [f"not usable: {folder / 'price.py'}:3: invalid syntax"]


def test_the_last_version_that_worked_answers_when_a_file_is_broken(client: Client, project: Path) -> None:
    folder = project / "operations"
    folder.mkdir()
    (folder / "price.py").write_text(PRICE)
    assert client.get("/api/shop/price", item="tea").document["cents"] == 250

    (folder / "price.py").write_text("from clusterlib.operations import operation\n\ndef (:\n")
    answer = client.get("/api/shop/price", item="tea")

    assert (answer.status, answer.document["cents"]) == (200, 250)
    (note,) = json.loads(answer.headers["clusterlib-notes"])
    assert note.startswith(f"{folder / 'price.py'}:3: invalid syntax")
    (folder / "price.py").write_text(PRICE.replace("250", "300"))
    assert client.get("/api/shop/price", item="tea").document["cents"] == 300


def test_json_has_no_word_for_infinity(client: Client, project: Path) -> None:
    folder = project / "operations"
    folder.mkdir()
    (folder / "price.py").write_text(PRICE.replace("250", 'float("inf")'))

    answer = client.get("/api/shop/price", item="tea")

    assert json.loads(answer.body) == {"item": "tea", "cents": None}
