"""Settling and locking a camera: what its automatics chose is held, and read back from the driver."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from calibration.scene.eyepiece import DeviceEyepiece
from calibration.scene.locking import MODULE_AUTOMATICS, USB_AUTOMATICS, check, lock, release
from calibration.scene.settling import Settling, Tint, rate_hz, tint_of
from edge.cameras.csi import CsiSettings, CsiSource
from edge.cameras.scripted import ScriptedCapture
from edge.cameras.scripted_csi import ScriptedModule
from edge.cameras.usb import CONTROLS, UsbSettings, UsbSource
from edge.cameras.v4l2 import KernelNodes, Node
from edge.clock import ReplayClock
from edge.errors import StalledCameraError
from edge.messages import Image

NODE = Node("/dev/video0", "Brio", "usb-1.2")


class Lamp:
    """A camera before a lamp: its automatic exposure makes brightness 120, by hand exposure and gamma do."""

    automatics = USB_AUTOMATICS

    def __init__(self, *, tells_exposure: bool = True, has_focus: bool = True) -> None:
        self.settings = {"auto_exposure": 3.0, "exposure": 10.0, "gain": 0.0, "auto_white_balance": 1.0}
        self.settings |= {"white_balance_k": 3000.0}
        if has_focus:
            self.settings |= {"autofocus": 1.0, "focus": 30.0}
        self._tells_exposure = tells_exposure

    def control(self, name: str) -> float:
        if name == "exposure" and self.settings["auto_exposure"] == 3.0 and self._tells_exposure:
            return 50.0
        return self.settings.get(name, -1.0)

    def set_control(self, name: str, value: float) -> bool:
        if name not in self.settings or (name == "auto_exposure" and value not in {1.0, 3.0}):
            return False
        self.settings[name] = value
        return True

    def look(self) -> Tint:
        is_automatic = self.settings["auto_exposure"] == 3.0
        light = 120.0 * ((50.0 if is_automatic else self.settings["exposure"]) / 50.0) ** (1 / 2.2)
        kelvin = 4600.0 if self.settings["auto_white_balance"] == 1.0 else self.settings["white_balance_k"]
        return Tint(light, kelvin / 4600.0, 1.0)


def test_what_the_automatics_chose_is_locked_switch_before_value() -> None:
    lamp = Lamp()
    lamp.settings["white_balance_k"] = 4600.0
    locked = lock(lamp, release(lamp), lamp.look)
    assert list(locked.controls.items()) == [
        ("auto_exposure", 1.0),
        ("exposure", 50.0),
        ("auto_white_balance", 0.0),
        ("white_balance_k", 4600.0),
        ("autofocus", 0.0),
        ("focus", 30.0),
        ("gain", 0.0),
    ]
    assert locked.remarks == ()


def test_a_driver_that_does_not_tell_is_matched_by_its_picture() -> None:
    lamp = Lamp(tells_exposure=False)
    wanted = lamp.look()
    locked = lock(lamp, release(lamp), lamp.look)
    # 5 % of brightness and 4 % of color are what locking promises.
    assert lamp.look().light == pytest.approx(wanted.light, rel=0.05)
    assert lamp.look().warmth == pytest.approx(wanted.warmth, rel=0.04)
    assert locked.controls["exposure"] == lamp.settings["exposure"]


def test_a_camera_without_an_automatic_is_locked_without_it() -> None:
    lamp = Lamp(has_focus=False)
    assert "focus" not in lock(lamp, release(lamp), lamp.look).controls


def test_what_the_driver_changed_behind_our_back_is_said() -> None:
    lamp = Lamp()
    locked = lock(lamp, release(lamp), lamp.look)
    lamp.settings["focus"] = 35.0
    assert list(check(lamp, locked)) == ["focus was locked at 30, the driver now holds 35"]


class ModuleEye:
    """A camera module through the eyepiece, looked at as the camera step does: some pictures after each change."""

    def __init__(self, module: ScriptedModule) -> None:
        settings = CsiSettings(width_px=64, height_px=48)
        source = CsiSource(settings, open_camera=lambda _: module)
        self.eyepiece = DeviceEyepiece(source, MODULE_AUTOMATICS, ReplayClock())

    def look(self) -> Tint:
        for _ in range(12):
            frame = self.eyepiece.next_frame()
        return tint_of(frame.image)


def test_a_camera_module_is_locked_at_what_its_pictures_say() -> None:
    eye = ModuleEye(ScriptedModule())
    controls = eye.eyepiece.controls
    automatics = release(controls)
    wanted = eye.look()
    locked = lock(controls, automatics, eye.look)
    assert list(locked.controls) == [
        *("AeEnable", "ExposureTime", "AnalogueGain", "AwbEnable", "ColourGainRed", "ColourGainBlue"),
        *("AfMode", "LensPosition"),
    ]
    assert locked.controls["AeEnable"] == 0
    # Lines of 20 microseconds around the 9167 that the automatic went for.
    assert locked.controls["ExposureTime"] == pytest.approx(9167, abs=20)
    assert locked.controls["ColourGainRed"] == pytest.approx(1 / 1.3, rel=0.01)
    assert eye.look().light == pytest.approx(wanted.light, abs=1)
    assert locked.remarks == ()
    assert list(check(controls, locked)) == []


def test_a_module_that_was_locked_starts_again_as_it_was() -> None:
    first = ModuleEye(ScriptedModule(has_focus=False))
    locked = lock(first.eyepiece.controls, release(first.eyepiece.controls), first.look)
    assert "LensPosition" not in locked.controls
    again = CsiSource(CsiSettings(controls=locked.controls), open_camera=lambda _: ScriptedModule(has_focus=False))
    again.read()
    assert again.control("ExposureTime") == locked.controls["ExposureTime"]


def test_a_module_whose_exposure_is_changed_afterwards_is_named() -> None:
    module = ScriptedModule()
    eye = ModuleEye(module)
    locked = lock(eye.eyepiece.controls, release(eye.eyepiece.controls), eye.look)
    module.set_controls({"ExposureTime": 4000})
    eye.look()
    (said,) = check(eye.eyepiece.controls, locked)
    assert "ExposureTime was locked at 91" in said
    assert said.endswith("the driver now holds 4000")


def tints(levels: Iterator[float]) -> list[tuple[float, Tint]]:
    return [(index / 10, Tint(level, 1.0, 1.0)) for index, level in enumerate(levels)]


def test_a_picture_that_stays_the_same_for_a_second_has_settled() -> None:
    settling = Settling()
    rising = tints(iter([50.0, 80.0, 100.0, *[120.0] * 12]))
    settled = [at_s for at_s, tint in rising if settling.update(tint, at_s)]
    assert settled[0] == pytest.approx(1.3)


def test_a_flickering_picture_never_settles() -> None:
    settling = Settling()
    assert not any(settling.update(tint, at_s) for at_s, tint in tints(iter([100.0, 110.0] * 30)))


def test_the_tint_of_a_warm_picture_is_warm() -> None:
    image = np.full((4, 4, 3), (200, 150, 100), np.uint8)
    assert tint_of(image).warmth == pytest.approx(2.0, abs=0.02)
    assert tint_of(image).light == pytest.approx(150)


def test_the_rate_is_what_the_times_say() -> None:
    assert rate_hz([0.0, 0.1, 0.2]) == pytest.approx(10)
    assert rate_hz([1.0]) == 0


def usb(pictures: list[Image], refused: tuple[int, ...] = ()) -> UsbSource:
    capture = ScriptedCapture(
        [cv2.imencode(".jpg", picture)[1].reshape(1, -1) for picture in pictures], refused=refused
    )
    return UsbSource(capture, NODE, UsbSettings(width_px=64, height_px=48), KernelNodes())


def test_a_usb_camera_lets_itself_be_set_between_two_pictures() -> None:
    source = usb([np.full((48, 64, 3), level, np.uint8) for level in (10, 20)], refused=(CONTROLS["focus"],))
    eyepiece = DeviceEyepiece(source, USB_AUTOMATICS, ReplayClock())
    assert eyepiece.next_frame().image.mean() == pytest.approx(10, abs=1)
    assert eyepiece.controls.set_control("exposure", 80.0)
    assert not eyepiece.controls.set_control("focus", 3.0)
    assert eyepiece.controls.control("exposure") == 80.0
    assert eyepiece.next_frame().sequence == 2


def test_a_usb_camera_that_only_gives_damage_is_named() -> None:
    damaged = [np.zeros((1, 40), np.uint8)] * 40
    source = UsbSource(ScriptedCapture(damaged), NODE, UsbSettings(width_px=64, height_px=48), KernelNodes())
    with pytest.raises(StalledCameraError, match="damaged"):
        DeviceEyepiece(source, USB_AUTOMATICS, ReplayClock()).next_frame()
