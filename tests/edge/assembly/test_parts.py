from __future__ import annotations

from pathlib import Path

import pytest

from edge.assembly.parts import load_parts
from edge.config import load_config


@pytest.mark.parametrize(("left", "is_left_out"), [(0.0, False), (0.1, False), (0.2, True)])
def test_a_region_in_the_configuration_that_the_sites_own_outdoes_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, left: float, *, is_left_out: bool
) -> None:
    (tmp_path / "site.toml").write_text(
        "schema = 1\n[region]\nmade_at = 2026-11-21T08:00:00Z\nleft = 0.1\ntop = 0\nright = 1\nbottom = 1\n",
        encoding="utf-8",
    )
    load_parts(load_config(None, [f"site={tmp_path}", f"presence.region.left={left}"], {}))
    assert ("presence.region is left out" in caplog.text) is is_left_out
