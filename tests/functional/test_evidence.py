"""What tasks leave as evidence, and the tasks around test runs, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlib.evidence.recorder import Recorder, read_records
from clusterlib.evidence.records import ClusterObtained, RunEnded, RunStarted, TestEnded

Invoke = Callable[..., subprocess.CompletedProcess[str]]
PATIENCE = 90
TESTS = """
import pytest


@pytest.mark.cluster_size(2)
def test_two(cluster): ...


@pytest.mark.cluster_size(900)
def test_far_too_many(cluster): ...


def test_none(): ...
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    (tmp_path / "tasks.py").write_text("from clusterlib.invoke import namespace\n")
    yield tmp_path
    typed(tmp_path, "cluster.down", "--all")


def typed(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLUSTERLIB_", "CI", "GITHUB_"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=folder,
        env={**ours, "NO_COLOR": "1", "PATH": path, **more},
        text=True,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def invoke(shop: Path) -> Invoke:
    return lambda *words, **more: typed(shop, *words, **more)


def kinds(folder: Path) -> list[str]:
    return [record.what.kind for record in read_records(folder)]


def ended(folder: Path) -> dict[str, Any]:
    [record] = [record for record in read_records(folder) if isinstance(record.what, TestEnded)]
    return record.to_dict()


def failures(junit: Path) -> list[str]:
    cases = ET.parse(junit).getroot().iter("testcase")
    return [
        str(child.get("message")) for case in cases for child in case if child.tag in {"failure", "error"}
    ]


def test_a_run_that_went_well_leaves_its_whole_story(invoke: Invoke, shop: Path) -> None:
    done = invoke("cluster.run", "--simulate", "--artifacts", "out", "--", "sh", "-c", "echo hello")

    assert done.returncode == 0, done.stderr
    assert f"report: {shop / 'out' / 'report.html'}" in done.stderr
    assert kinds(shop / "out") == [
        "run.started",
        "preflight",
        "cluster.started",
        "test.started",
        "test.ended",
        "health",
        "cluster.ended",
        "run.ended",
    ]
    command = ended(shop / "out")
    assert (command["test"], command["outcome"]) == ("sh -c 'echo hello'", "passed")
    assert failures(shop / "out" / "cluster.xml") == []
    assert "echo hello" in (shop / "out" / "report.html").read_text()
    assert list((shop / "out").glob("clusters/default/*/logs/node3.log"))


def test_a_command_that_fails_is_a_failed_test_of_the_cluster(invoke: Invoke, shop: Path) -> None:
    done = invoke("cluster.run", "--simulate", "--artifacts", "out", "--json", "--", "sh", "-c", "exit 7")

    assert done.returncode == 7
    assert json.loads(done.stdout)["artifacts"] == str(shop / "out")
    assert (ended(shop / "out")["outcome"], ended(shop / "out")["message"]) == ("failed", "exit code 7")
    assert read_records(shop / "out")[-1].what == RunEnded(7)
    assert "exit code 7" in (shop / "out" / "report.html").read_text()


def test_a_start_that_fails_leaves_the_error_and_the_log_of_the_node(invoke: Invoke, shop: Path) -> None:
    (shop / "profiles").mkdir()
    (shop / "profiles" / "bad.toml").write_text('extends = "dev"\n[python]\napp = "app:start"\n')
    (shop / "app.py").write_text('def start():\n    raise SystemExit("no database")\n')

    done = invoke("cluster.run", "--profile", "bad", "--artifacts", "out", "--", "true")

    assert done.returncode == 1
    assert "cluster.failed" in kinds(shop / "out")
    assert any("node" in message for message in failures(shop / "out" / "cluster.xml"))
    report = (shop / "out" / "report.html").read_text()
    assert "application-failed" in report
    logs = [log.read_text() for log in (shop / "out").glob("clusters/default/*/logs/*.log")]
    assert any("no database" in text for text in logs)


def test_a_program_that_is_missing_is_an_error_of_the_command(invoke: Invoke, shop: Path) -> None:
    done = invoke("cluster.run", "--simulate", "--artifacts", "out", "--", "no-such-program")

    assert done.returncode == 1
    assert ended(shop / "out")["outcome"] == "error"
    assert "no-such-program" in ended(shop / "out")["message"]
    assert failures(shop / "out" / "cluster.xml") == [], "its cluster ended in order"


def test_evidence_of_an_earlier_run_is_not_taken_for_that_of_this_one(invoke: Invoke, shop: Path) -> None:
    invoke("cluster.run", "--simulate", "--artifacts", "out", "--", "sh", "-c", "exit 1")
    invoke("cluster.run", "--simulate", "--artifacts", "out", "--", "true")

    assert ended(shop / "out")["outcome"] == "passed"
    assert len(list((shop / "out").glob("clusters/default/*"))) == 1


def test_a_folder_that_another_run_writes_to_is_refused(invoke: Invoke, shop: Path) -> None:
    recorder = Recorder(shop / "out")
    recorder(RunStarted())
    try:
        done = invoke("cluster.run", "--simulate", "--artifacts", "out", "--", "true")
    finally:
        recorder.close()

    assert done.returncode == 2
    assert "another run is writing its artifacts" in done.stderr
    assert kinds(shop / "out") == ["run.started"]


def test_a_folder_of_the_users_own_loses_nothing(invoke: Invoke, shop: Path) -> None:
    (shop / "clusters").mkdir()
    (shop / "clusters" / "mine.txt").touch()

    done = invoke("cluster.run", "--simulate", "--artifacts", ".", "--", "true")

    assert done.returncode != 0
    assert "has clusters already, which no run has made" in done.stderr
    assert (shop / "clusters" / "mine.txt").exists()


def test_a_borrowed_cluster_is_told_as_such_and_goes_on(invoke: Invoke, shop: Path) -> None:
    invoke("cluster.up", "--simulate")

    invoke("cluster.run", "--artifacts", "out", "--", "true")

    records = [record.what for record in read_records(shop / "out")]
    [obtained] = [what for what in records if isinstance(what, ClusterObtained)]
    assert obtained.how == "borrowed"
    assert invoke("cluster.status").returncode == 0


def test_the_plan_says_which_tests_need_which_clusters(invoke: Invoke, shop: Path) -> None:
    (shop / "tests").mkdir()
    (shop / "tests" / "test_shop.py").write_text(TESTS)

    shown = invoke("test.plan")
    told = invoke("test.plan", "--json")

    assert "test_two" in shown.stdout
    plan = json.loads(told.stdout)["plan"]
    assert [group["nodes"] for group in plan["groups"]] != []
    assert [one["test"].rpartition("::")[2] for one in plan["impossible"]] == ["test_far_too_many"]
    assert invoke("cluster.status").returncode == 3, "nothing was started"
    assert "test_two" not in invoke("test.plan", "--", "-k", "none").stdout


def test_the_plan_of_an_unknown_profile_is_an_error(invoke: Invoke, shop: Path) -> None:
    (shop / "test_shop.py").write_text("def test_it(cluster): ...\n")

    done = invoke("test.plan", "--profile", "no-such")

    assert "no-such" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_report_is_made_again_of_a_folder_or_of_the_latest_run(invoke: Invoke, shop: Path) -> None:
    (shop / "test_shop.py").write_text("def test_wrong(cluster):\n    assert len(cluster) == 7\n")
    environment = {"CLUSTERLIB_SIMULATE": "true"}
    subprocess.run(
        [sys.executable, "-m", "pytest", "--distributed", "-q"],
        cwd=shop,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("CLUSTERLIB_")}, **environment},
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    [latest] = [path for path in (shop / ".clusterlib" / "reports").iterdir() if not path.is_symlink()]
    (latest / "report.html").unlink()

    made = invoke("test.report")

    assert made.returncode == 0, made.stderr
    assert "test_wrong" in (latest / "report.html").read_text()
    answer = json.loads(invoke("test.report", str(latest), "--json").stdout)
    assert Path(answer["report"]).exists()
    assert "cluster.xml" in answer["files"]


def test_without_evidence_a_report_says_how_to_get_some(invoke: Invoke, shop: Path) -> None:
    for words in (("test.report",), ("test.report", "nowhere")):
        done = invoke(*words)
        assert done.returncode == 2
        assert "try: pytest --distributed --cluster-artifacts" in done.stderr


def test_the_commands_are_there_without_a_tasks_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clusterlib", "--help"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "test report" in done.stdout
    assert "  run " in done.stdout
