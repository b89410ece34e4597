from __future__ import annotations

import importlib
import sys

import pytest

from clusterlib.doors.nox import session_folder


@pytest.mark.parametrize(
    ("profile", "folder"),
    [
        ("ci-small", "distributed-ci-small"),
        ("profiles/ci-small.toml", "distributed-ci-small"),
        ("two words", "distributed-two-words"),
        ("v1.2_x", "distributed-v1.2_x"),
        ("../up", "distributed-up"),
    ],
)
def test_the_folder_of_a_session_never_changes_and_stays_where_it_belongs(profile: str, folder: str) -> None:
    assert session_folder(profile) == folder


def test_a_session_of_another_name_has_a_folder_of_its_own() -> None:
    assert session_folder("dev", "slow-3.12") == "slow-3.12-dev"


def test_without_nox_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nox", "clusterlib.nox", "clusterlib.doors.nox"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "nox", None)

    with pytest.raises(ModuleNotFoundError, match=r"clusterlib\[nox\]") as caught:
        importlib.import_module("clusterlib.nox")

    assert caught.value.name == "nox"
