from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import TypeAdapter

from edge.assembly.cameras import open_camera
from edge.cameras.base import Camera
from edge.cameras.film import FilmCamera
from edge.cameras.recover import ReopeningCamera
from edge.clock import ReplayClock
from edge.config.cameras import CameraSection


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"backend": "usb", "device": "/dev/none", "controls": {"gain": 4.0}}, ReopeningCamera),
        ({"backend": "csi", "controls": {"AnalogueGain": 2.0}}, ReopeningCamera),
        ({"backend": "stream", "url": "rtsp://10.0.0.7/main"}, ReopeningCamera),
        ({"backend": "replay", "source": "."}, FilmCamera),
        ({"backend": "simulated"}, FilmCamera),
    ],
)
def test_a_camera_that_can_fail_is_opened_again_and_a_film_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: dict[str, object], kind: type[Camera]
) -> None:
    cv2.imwrite(str(tmp_path / "picture.png"), np.zeros((8, 8, 3), np.uint8))
    monkeypatch.chdir(tmp_path)
    section: CameraSection = TypeAdapter(CameraSection).validate_python(written)
    assert isinstance(open_camera(section, ReplayClock()), kind)
