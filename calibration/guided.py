"""The whole calibration, one step after another, for somebody who does it for the first time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from calibration.flaps import Given, calibrate_flaps, has_flaps
from calibration.overview import show_site
from calibration.report import write_report
from calibration.scene.background import calibrate_background
from calibration.scene.camera import calibrate_camera
from calibration.scores.judging import Evidence, calibrate_temperature, calibrate_thresholds
from calibration.scores.wishes import wish_for
from calibration.talk import Desk
from calibration.teaching import NUM_ITEMS
from calibration.teaching.schooling import School
from edge.errors import SorterError

REPORT = "calibration.html"


def walk_through(desk: Desk, precision: float) -> None:
    """Do every step that can be done here, and say of the others how they are done later.

    A step that fails is said and left for later; what was kept before stays.

    Raises:
        SorterError: the camera or the empty scene could not be calibrated, on which all else stands.
    """
    say = desk.talk.say
    say("This takes about ten minutes. Each step shows what it would change and asks; nothing is lost:")
    say("`sorter calibrate undo` goes back one step at a time. Ctrl-C stops; what was kept until then stays.\n")
    say("1 of 6  The camera")
    calibrate_camera(desk, None)
    say("\n2 of 6  The empty scene")
    calibrate_background(desk, None, is_empty=False)
    say("\n3 of 6  Teaching: what do your items look like here?")
    _teach(desk)
    say("\n4 of 6  How sure may it be, and when is that enough?")
    _judge(desk, precision)
    say("\n5 of 6  The flaps")
    _flaps(desk)
    say("\n6 of 6  What was done")
    show_site(desk)
    out = desk.folder.path / REPORT
    write_report(desk.parts(), desk.folder.read(), desk.folder.path, out)
    say(f"All of it on one page, with pictures: {out}")
    say("A bin that is running takes it over with `sudo systemctl reload sorter`, or when it is started again.")


def _teach(desk: Desk) -> None:
    if desk.talk.is_sure:
        desk.talk.say("Left out: it needs somebody who holds items before the camera (`sorter teach LABEL`).")
        return
    known = ", ".join(desk.parts().classifier.labels)
    desk.talk.say(f"The model knows {known}. Ten items of a class, shown here, make it far surer of that class;")
    desk.talk.say("a name that is not among them adds a class.")
    while label := desk.talk.read("Class to teach, Enter for no more", default=""):
        _try(desk, partial(_teach_one, desk, label))


def _judge(desk: Desk, precision: float) -> None:
    desk.talk.say("This needs pictures of items in a folder, one subfolder for each class, at least some dozens.")
    folder = desk.talk.read("Folder of labelled pictures, Enter for later", default="")
    if not folder:
        desk.talk.say("Left for later: `sorter calibrate temperature PICTURES`, then `thresholds` too. Once some dozen")
        desk.talk.say("items were labelled in the review part of the page, --reviewed takes those instead of PICTURES.")
        return
    evidence = Evidence(Path(folder).expanduser())
    wish, words = wish_for(desk, precision, None, precision)
    _try(desk, lambda: calibrate_temperature(desk, evidence))
    _try(desk, lambda: calibrate_thresholds(desk, evidence, wish, words))


def _flaps(desk: Desk) -> None:
    if not has_flaps(desk.config):
        desk.talk.say("The configuration has no flap on a servo: nothing to find.")
    elif desk.talk.is_sure:
        desk.talk.say("Left out: it needs somebody who watches the flap (`sorter calibrate actuators`).")
    else:
        _try(desk, lambda: calibrate_flaps(desk, None, Given()))


def _teach_one(desk: Desk, label: str) -> None:
    School(desk).teach_items(label, NUM_ITEMS)


def _try(desk: Desk, step: Callable[[], None]) -> None:
    """Do a step that the others do not stand on."""
    try:
        step()
    except SorterError as error:
        desk.talk.say(f"That did not work: {error}. The step can be done later.")
