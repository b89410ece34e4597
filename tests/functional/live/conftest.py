from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLUSTERLIB_NAME", raising=False)
