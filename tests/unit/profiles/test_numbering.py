from __future__ import annotations

import pytest

from clusterlib.values.kinds import Wrong, check_host, check_name


@pytest.mark.parametrize("pattern", ["shop{index}", "shop{index0}", "{index0}-of-{index}"])
def test_a_name_may_hold_the_number_from_1_or_from_0(pattern: str) -> None:
    assert check_name(pattern) == pattern


def test_a_host_may_hold_the_number_from_0() -> None:
    assert check_host("{name}-{index0}.test") == "{name}-{index0}.test"


@pytest.mark.parametrize("pattern", ["shop{index1}", "shop{index0", "shop{{index0}}", "{index0.real}"])
def test_another_placeholder_in_a_name_is_refused_with_those_that_exist(pattern: str) -> None:
    with pytest.raises(Wrong) as caught:
        check_name(pattern)

    assert caught.value.right == "known here: {index}, {index0}"
