"""A new or changed file in the `operations/` of a project is used at once; a broken one leaves its
last version in use."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clusterlib.errors import OperationBroken
from clusterlib.operations.catalogue import catalogue, load
from clusterlib.operations.listing import ListedOperation

HEAD = "from clusterlib.operations import operation\n"
Write = Callable[..., Path]


@pytest.fixture
def write(project: Path) -> Write:
    """Writes a file of `operations/`. Its declaration is in line 2, its result in line 4."""
    (project / "operations").mkdir()

    def writing(name: str, result: str = "'one'", *, head: str = "", raw: str = "") -> Path:
        file = project / "operations" / f"{name}.py"
        body = f"@operation(effect='read', group='shop')\ndef {name}() -> object:\n    return {result}\n"
        file.write_text(raw or HEAD + head + body)
        return file

    return writing


def listed(project: Path, name: str) -> ListedOperation:
    return next(one for one in catalogue(project).operations if one.full_name == f"shop.{name}")


def call(project: Path, name: str) -> Any:
    return load(listed(project, name))(project=project)


def names(project: Path) -> set[str]:
    return {one.name for one in catalogue(project).operations if one.group == "shop"}


def troubles(project: Path) -> list[str]:
    return list(map(str, catalogue(project).troubles))


def test_a_new_a_changed_and_a_deleted_file_is_noticed(project: Path, write: Write) -> None:
    assert names(project) == set()
    file = write("price", "1")
    assert call(project, "price") == 1
    write("price", "2")  # as long as before, within the same second
    assert call(project, "price") == 2
    write("stock", "3")
    assert names(project) == {"price", "stock"}
    file.unlink()
    assert names(project) == {"stock"}


def test_a_change_that_keeps_size_and_times_is_noticed_in_a_young_file(project: Path, write: Write) -> None:
    file = write("price", "1")
    assert call(project, "price") == 1
    seen = file.stat()

    file.write_text(file.read_text().replace("return 1", "return 2"))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    assert call(project, "price") == 2


def test_only_what_has_changed_is_read_again(project: Path, write: Write) -> None:
    marks = "with open(__file__ + '.runs', 'a') as runs:\n    runs.write('x')\n"
    price, stock = write("price", "1", head=marks), write("stock", "1", head=marks)
    call(project, "price")
    call(project, "stock")
    before = catalogue(project)

    assert catalogue(project) is before
    write("price", "2", head=marks)
    assert call(project, "price") == 2
    call(project, "stock")

    assert Path(f"{price}.runs").read_text() == "xx"
    assert Path(f"{stock}.runs").read_text() == "x"


@pytest.mark.parametrize(
    ("raw", "trouble"),
    [
        (HEAD + "\ndef (:\n", ":3: invalid syntax"),
        (HEAD + "\n\n1 / 0\n", ":4: ZeroDivisionError: division by zero"),
        (HEAD + "raise SystemExit(3)\n", ":2: SystemExit: 3"),
        (HEAD + "@operation(effect='read', group='shop')\ndef price(size) -> int: ...\n", ":3: price: size"),
        (HEAD + "return 3\n", ":2: 'return' outside function"),
    ],
)
def test_a_broken_file_is_named_with_its_line_and_its_last_version_stays(
    raw: str, trouble: str, project: Path, write: Write
) -> None:
    file = write("price", "1")
    assert call(project, "price") == 1

    write("price", raw=raw)

    assert call(project, "price") == 1
    (said,) = troubles(project)
    assert said.startswith(f"{file}{trouble}")
    assert said.endswith("; its last version that worked stays in use")
    write("price", "2")
    assert call(project, "price") == 2
    assert troubles(project) == []


def test_a_version_that_was_only_listed_stays_if_the_next_one_is_broken(project: Path, write: Write) -> None:
    write("price", "1")
    assert names(project) == {"price"}

    write("price", raw=HEAD + "def (:\n")

    assert call(project, "price") == 1


def test_an_import_that_fails_at_the_first_call_falls_back_and_is_listed(project: Path, write: Write) -> None:
    write("price", "1")
    assert names(project) == {"price"}

    file = write("price", "2", head="import nowhere_at_all\n")

    assert troubles(project) == []  # it was not imported yet
    assert call(project, "price") == 1
    assert [one.partition("; its last")[0] for one in troubles(project)] == [
        f"{file}:2: ModuleNotFoundError: No module named 'nowhere_at_all'"
    ]


def test_what_was_broken_by_another_module_works_when_that_is_mended(
    project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = project / "odd_stock.py"
    shared.write_text("1 / 0\n")
    write("price", "odd_stock.COUNT", head="import odd_stock\n")
    with pytest.raises(OperationBroken, match="division by zero"):
        call(project, "price")
    assert len(troubles(project)) == 1

    shared.write_text("COUNT = 7\n")
    monkeypatch.delitem(sys.modules, "odd_stock", raising=False)

    assert call(project, "price") == 7
    assert troubles(project) == []
    monkeypatch.delitem(sys.modules, "odd_stock")


def test_a_helper_beside_it_is_imported_freshly_with_it(project: Path, write: Write) -> None:
    helper = project / "operations" / "_prices.py"
    helper.write_text("PRICE = 1\n")
    write("price", "PRICE", head="from ._prices import PRICE\n")
    write("offer", "_prices.PRICE", head="from . import _prices\n")
    assert (call(project, "price"), call(project, "offer")) == (1, 1)

    helper.write_text("PRICE = 2\n")
    assert (call(project, "price"), call(project, "offer")) == (2, 2)

    helper.write_text("PRICE = 3 3\n")
    assert (call(project, "price"), call(project, "offer")) == (2, 2)
    assert {one.partition(": ")[0] for one in troubles(project)} == {f"{helper}:1"}

    helper.write_text("PRICE = 4\n")
    assert (call(project, "price"), call(project, "offer")) == (4, 4)
    assert troubles(project) == []


def test_a_change_that_keeps_size_and_times_is_noticed_in_a_young_helper(
    project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = project / "operations" / "_prices.py"
    helper.write_text("PRICE = 1\n")
    os.utime(helper, (2**32, 2**32))  # young for ever
    seen, stat = helper.stat(), Path.stat

    def coarse(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        return seen if path == helper else stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", coarse)
    write("price", "PRICE", head="from ._prices import PRICE\n")
    assert call(project, "price") == 1

    helper.write_text("PRICE = 2\n")

    assert call(project, "price") == 2


def test_a_helper_that_changes_while_it_is_imported_is_imported_again(project: Path, write: Write) -> None:
    helper = project / "operations" / "_prices.py"
    helper.write_text("from pathlib import Path\nPRICE = 1\nPath(__file__).write_text('PRICE = 2\\n')\n")
    write("price", "PRICE", head="from ._prices import PRICE\n")

    assert call(project, "price") == 1
    assert call(project, "price") == 2


def test_a_badly_declared_operation_stays_named_when_a_helper_changes(project: Path, write: Write) -> None:
    helper = project / "operations" / "_prices.py"
    helper.write_text("PRICE = 1\n")
    file = write("price", "PRICE", head="from ._prices import PRICE\n")
    bad = "@operation(effect='read', group='shop')\ndef offer(size) -> int: ...\n"
    file.write_text(file.read_text() + bad)
    before = troubles(project)
    assert len(before) == 1

    with contextlib.suppress(OperationBroken):
        call(project, "price")
    helper.write_text("PRICE = 23\n")

    assert troubles(project) == before


def test_a_call_that_runs_finishes_with_the_code_it_began_with(project: Path, write: Write) -> None:
    write(
        "price", "(GO.wait(30), VALUE)[1]", head="import threading\nGO = threading.Event()\nVALUE = 'old'\n"
    )
    running = load(listed(project, "price"))
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(running(project=project)))
    thread.start()

    write("price", "VALUE", head="VALUE = 'new'\n")
    assert call(project, "price") == "new"
    running.body.__globals__["GO"].set()
    thread.join()

    assert answers == ["old"]


def test_others_can_look_while_an_operation_is_imported(
    project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = ModuleType("odd_gate")
    vars(gate).update(reached=threading.Event(), go=threading.Event())
    monkeypatch.setitem(sys.modules, "odd_gate", gate)
    write("price", "1", head="import odd_gate\nodd_gate.reached.set()\nodd_gate.go.wait(30)\n")
    found = listed(project, "price")
    importing = threading.Thread(target=lambda: load(found))
    importing.start()
    assert gate.reached.wait(30)
    seen: list[set[str]] = []
    looking = threading.Thread(target=lambda: seen.append(names(project)))

    looking.start()
    looking.join(20)

    assert seen == [{"price"}]
    gate.go.set()
    importing.join()
    looking.join()
    assert call(project, "price") == 1


def test_two_projects_in_one_process_do_not_meet(project: Path, write: Write, tmp_path: Path) -> None:
    write("price", "1")
    other = tmp_path / "other"
    (other / "operations").mkdir(parents=True)
    (other / "operations" / "price.py").write_text(
        (project / "operations" / "price.py").read_text().replace("return 1", "return 2")
    )

    assert [call(project, "price"), call(other, "price"), call(project, "price")] == [1, 2, 1]


def test_the_project_hides_no_module_and_is_on_the_path_only_while_it_is_needed(
    project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "json.py").write_text("raise RuntimeError('the wrong json')\n")
    (project / "odd_shop.py").write_text("NAME = 'shop'\n")
    body = "(__import__('json').dumps(1), __import__('odd_shop').NAME)"
    write("price", body, head="import json\n")
    before = list(sys.path)

    try:
        assert call(project, "price") == ("1", "shop")
    finally:
        monkeypatch.delitem(sys.modules, "odd_shop", raising=False)
    assert sys.path == before
    assert "operations" not in sys.modules


def test_data_classes_and_annotations_as_texts_work(project: Path, write: Write) -> None:
    write(
        "price",
        raw="from __future__ import annotations\nfrom dataclasses import dataclass\n"
        + HEAD
        + "@dataclass\nclass Price:\n    amount: int\n"
        + "@operation(effect='read', group='shop')\ndef price(*, size: int = 2) -> Price:\n    return Price(size)\n",
    )

    assert call(project, "price").amount == 2


def test_a_file_that_cannot_be_read_is_named(project: Path, write: Write) -> None:
    file = write("price", "1")
    assert call(project, "price") == 1

    file.write_bytes(b"\xff\xfe\xff")

    assert call(project, "price") == 1
    assert f"{file}:1: cannot be read" in troubles(project)[0]


def test_threads_that_ask_at_once_get_whole_answers(project: Path, write: Write) -> None:
    price = write("price", "0")
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(100):
            try:
                if not isinstance(call(project, "price"), int):
                    wrong.append("no number")
            except Exception as error:  # noqa: BLE001 - whatever it is, the test must say it
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for one in threads:
        one.start()
    for number in range(50):
        draft = project / "operations" / ".price.new"
        draft.write_text(price.read_text().replace(f"return {number}", f"return {number + 1}"))
        draft.rename(price)
    for one in threads:
        one.join()

    assert wrong == []
    assert call(project, "price") == 50
