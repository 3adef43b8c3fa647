"""The steps of `sorter teach` at a terminal: what is shown, asked and said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from calibration.talk import Desk
from calibration.teaching.examples import Example, count
from calibration.teaching.lessons import MAX_EXAMPLES, Lesson
from calibration.teaching.showing import example_of_crop, item_in, pictures_in, watch
from calibration.teaching.teach import Teaching
from edge.assembly.cameras import open_camera
from edge.assembly.classes import labels_of_bins
from edge.class_names import class_name
from edge.clock import PacedClock, ReplayClock, SystemClock
from edge.config.cameras import ReplayCameraSection
from edge.data_folder import LeftOut, in_words, unused_in, why_unreadable
from edge.errors import DatasetError, MissingInputError
from edge.listing import columns_of, counted, padded, some_of


class School:
    """One sitting: the desk, the parts of the bin at hand, and what it was taught so far."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._parts = desk.parts()
        self._teaching = Teaching(self._parts.bundle, desk.folder, desk.config.model.threads)
        self._shown = self._teaching.shown()
        self._known = self._teaching.up_to_date(self._shown)
        if self._shown.is_outdated:
            self._say(f"The model is another one now: its {len(self._known)} examples were shown to it again.")

    def teach_pictures(self, folders: Mapping[str, Path], *, are_crops: bool) -> None:
        """Teach classes, each with the pictures of a folder.

        Raises:
            MissingInputError, DatasetError: a folder has no picture, or none that shows an item.
        """
        named = self._teaching.labels(folders)
        shown = [(label, folder, pictures_in(folder)) for label, folder in zip(named, folders.values(), strict=True)]
        fresh: list[Example] = []
        for label, folder, paths in shown:
            for line in in_words(unused_in(folder)):
                self._say(f"left out: {line}")
            found = self._examples_in(label, paths, are_crops=are_crops)
            if not found:
                raise DatasetError(f"{folder}: in none of its pictures an item was found; nothing was changed")
            fresh += found
        what = ", ".join(f"{label}: {counted(number, 'example')}" for label, number in count(fresh).items())
        self._propose(self._teaching.learn(self._known, fresh), what)

    def teach_items(self, name: str, num_items: int) -> None:
        """Teach a class with items that are held before the camera, one after the other."""
        (label,) = self._teaching.labels([name])
        fresh: list[Example] = []

        def count_aloud(example: Example) -> bool:
            fresh.append(example)
            is_last = len(fresh) == num_items
            self._say(f"  {len(fresh)} of {num_items}" + ("" if is_last else ": take it away, and show the next"))
            return not is_last

        if self._parts.site.background is None:
            self._say("The empty scene is not known yet: keep the bin empty until the first number is called for.")
        self._say(f"Show {num_items} different {label} items, one at a time, each as it will lie. Ctrl-C stops.")
        try:
            self._watch(label, count_aloud)
        except KeyboardInterrupt:
            may_learn = bool(fresh) and not self._desk.talk.is_sure
            if not (may_learn and self._desk.talk.ask(f"\nLearn from {counted(len(fresh), 'item')}?")):
                self._say("\nNothing was changed.")
                raise
        if not fresh:
            raise DatasetError("no item came to rest before the camera; nothing was changed")
        self._propose(self._teaching.learn(self._known, fresh), f"{label}: {counted(len(fresh), 'example')}")

    def again(self) -> None:
        """Show all examples to the model at hand, and keep what it makes of them."""
        if not self._known:
            raise DatasetError(f"{self._desk.folder.path}: nothing was taught here yet; see `sorter teach --help`")
        self._propose(self._teaching.learn(self._known, ()), f"{len(self._known)} examples anew")

    def forget(self, name: str) -> None:
        """Unlearn a class that was taught."""
        label = class_name(name)
        lesson = self._teaching.forget(self._known, label)
        for bin_name, labels in labels_of_bins(self._desk.config).items():
            if label in labels and label not in self._parts.bundle.manifest.labels:
                self._say(
                    f"bins.{bin_name}.labels in the configuration names {label}: take it out, or the bin will not"
                    " start."
                )
        self._propose(lesson, f"{label} forgotten")

    def tell(self) -> None:
        """Say what was taught, with how many examples."""
        counts = count(self._known)
        for label, number in counts.items():
            kind = "corrected" if label in self._parts.bundle.manifest.labels else "new"
            self._say(f"{label}: {counted(number, 'example')}, {kind}")
        if not counts:
            self._say(f"{self._desk.folder.path}: nothing was taught here yet.")
        self._desk.talk.result("teach", {"examples": dict(counts)})

    def evaluate(self) -> None:
        """Say how good what was taught is, each example judged by a head that has not seen it."""
        if not self._known:
            raise DatasetError(f"{self._desk.folder.path}: nothing was taught here yet; see `sorter teach --help`")
        lesson = self._teaching.learn(self._known, ())
        self._report(lesson)
        self._desk.talk.result("teach", _figures(lesson))

    def _watch(self, label: str, on_item: Callable[[Example], bool]) -> None:
        section = self._parts.camera()
        clock: PacedClock = ReplayClock() if isinstance(section, ReplayCameraSection) else SystemClock()
        with closing(open_camera(section, clock)) as camera:
            camera.open()
            watch(self._parts, camera, self._teaching.network, label, on_item)

    def _examples_in(self, label: str, paths: Sequence[Path], *, are_crops: bool) -> list[Example]:
        finder = None if are_crops else self._parts.finder()
        found: list[Example] = []
        without_item: list[str] = []
        for path in self._desk.talk.bar(_spread(paths), label):
            if (problem := why_unreadable(path)) is not None:
                self._say(f"left out: {LeftOut(path.name, problem)}")
            elif (item := item_in(path, finder)) is None:
                without_item.append(path.name)
            else:
                found.append(example_of_crop(label, item, self._teaching.network))
        if without_item:
            self._say(f"left out, not showing exactly one item on the empty scene: {', '.join(without_item)}")
        if len(paths) > MAX_EXAMPLES:
            self._say(f"Of more pictures than {MAX_EXAMPLES} that many were taken, evenly spread.")
        return found

    def _propose(self, lesson: Lesson | None, what: str) -> None:
        if lesson is not None:
            self._report(lesson)
            self._tell_bins(lesson)
        edit, parts = self._teaching.change(self._shown, lesson)
        self._desk.propose("teach", edit, parts, {"what": what, **({} if lesson is None else _figures(lesson))})

    def _report(self, lesson: Lesson) -> None:
        width = max(10, *(columns_of(one.label) for one in lesson.reports))
        self._say("\nEach example judged by a bin that has not seen the thing that it shows:")
        self._say(f"  {padded('class', width)}  examples  things  right before  right now")
        for one in lesson.reports:
            after = "?" if one.right_after is None else str(one.right_after)
            counts = f"{one.num_examples:>8}  {one.num_things:>6}  {one.right_before:>12}  {after:>9}"
            self._say(f"  {padded(one.label, width)}  {counts}")
        if lesson.undoes_light:
            self._say("The color and dimness of the light here are undone before the model looks: that made it better.")
        for doubt in lesson.doubts():
            self._say(f"Mind: {doubt}" if doubt.endswith("?") else f"Mind: {doubt}.")
        untaught = [label for label in lesson.labels if label not in {one.label for one in lesson.reports}]
        if untaught:
            self._say(f"Not shown, and left to the model: {', '.join(untaught)}.")

    def _tell_bins(self, lesson: Lesson) -> None:
        bins = labels_of_bins(self._desk.config)
        routed = {label for labels in bins.values() for label in labels}
        homeless = [label for label in lesson.labels if label not in routed]
        if bins and homeless:
            self._say(f"No bin takes {some_of(homeless)} yet: add it to the labels of a bin in the configuration.")

    def _say(self, sentence: str) -> None:
        self._desk.talk.say(sentence)


def classes_in(folder: Path) -> dict[str, Path]:
    """The subfolders of a data folder, by the classes that they are named after.

    Raises:
        MissingInputError: no such folder.
        DatasetError: it has no subfolders.
    """
    if not folder.is_dir():
        raise MissingInputError(f"no folder at {folder}: expected one with a subfolder of pictures for each class")
    found = {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")}
    if not found:
        raise DatasetError(
            f"{folder}: expected a subfolder for each class, found none; or name the LABEL that its pictures show"
        )
    return found


def _spread(paths: Sequence[Path]) -> Sequence[Path]:
    """All of them, or MAX_EXAMPLES that are evenly spread: pictures that follow each other show much the same."""
    if len(paths) <= MAX_EXAMPLES:
        return paths
    return [paths[index] for index in np.linspace(0, len(paths) - 1, MAX_EXAMPLES).round().astype(int)]


def _figures(lesson: Lesson) -> dict[str, JsonValue]:
    classes: dict[str, JsonValue] = {
        one.label: {
            "examples": one.num_examples,
            "things": one.num_things,
            "right_before": one.right_before,
            "right_after": one.right_after,
        }
        for one in lesson.reports
    }
    return {
        "labels": list(lesson.labels),
        "undoes_light": lesson.undoes_light,
        "classes": classes,
        "doubts": list(lesson.doubts()),
    }
