"""The two steps that need labelled pictures: how sure the model may be, and when that is enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from calibration.scores.configured import least_now, what_stays, why_unheeded
from calibration.scores.pictures import NONE_TAUGHT, Measured, Taught, measure, measure_pictures
from calibration.scores.reviewed import pictures_of, read_review
from calibration.scores.temperature import FittedTemperature, as_logits, judge_temperature
from calibration.scores.thresholds import (
    FittedThresholds,
    Tally,
    Wish,
    accepted,
    fit_thresholds,
    folds_of,
    holding_still,
    precision_wish,
)
from calibration.talk import Desk
from calibration.teaching.lessons import learn
from calibration.teaching.teach import Teaching
from edge.assembly.classes import open_head
from edge.assembly.parts import Parts
from edge.assembly.places import journal_path, pictures_folder
from edge.data_folder import in_words, scan
from edge.deciding.rules import NEVER, threshold_text
from edge.errors import CheckFailedError, DatasetError, MissingInputError
from edge.files.pictures import PictureReader
from edge.listing import columns_of, counted, padded, some_of
from edge.messages import Box, Image
from edge.site import (
    ClassStep,
    SiteDescription,
    TemperatureStep,
    ThresholdsStep,
    holding,
    model_steps,
    part_name,
    what_is_stale,
)

# Fewer pictures than this, and the figures say more about the pictures than about the model.
_FEWEST_PICTURES = 20
_FEW_PICTURES = 100
# Wishes that are shown beside the owner's own, so that it can be weighed.
_OTHER_WISHES = (0.9, 0.95, 0.97, 0.99)
_UNSAID = "nothing can be said"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a step judges by: the data folder `pictures`, or where it is None the bin's own reviewed items.

    With `are_crops` the pictures show the item alone; else those of the scene's shape are searched for it.
    """

    pictures: Path | None
    are_crops: bool = False


def calibrate_temperature(desk: Desk, evidence: Evidence) -> None:
    """Fit the temperature, and offer it; where it makes scores less honest, the one that holds stays.

    Raises:
        DatasetError: there are too few pictures, of one class alone, or of classes that the model does not know.
        MissingInputError: there is no such folder, or nothing was reviewed.
    """
    parts = desk.parts()
    before = _temperature(parts)
    measured, remarks = _measured(desk, parts, evidence)
    fitted = judge_temperature(measured.logits, measured.truth, folds_of(measured.objects), before)
    _tell_temperature(desk, fitted)
    if not fitted.is_better:
        stays = f"With the temperature {fitted.value:g} it would be off by more: it stays {before:g}."
        desk.talk.say(stays)
        remarks = (*remarks, stays)
    value, ece_after = (fitted.value, fitted.ece_after) if fitted.is_better else (before, fitted.ece_before)
    kept = _kept(measured)
    step = TemperatureStep(
        made_at=desk.now(),
        bundle=parts.bundle.bundle_id,
        judged=next(iter(kept)),
        value=value,
        num_pictures=fitted.num_pictures,
        ece_before=round(fitted.ece_before, 4),
        ece_after=round(ece_after, 4),
    )
    figures: dict[str, JsonValue] = {
        "temperature": {"before": before, "after": value},
        "num_pictures": fitted.num_pictures,
        "ece": {"before": fitted.ece_before, "after": fitted.ece_after, "by_chance": fitted.ece_chance},
        "remarks": list(remarks),
        "loss": {"before": fitted.loss_before, "after": fitted.loss_after},
    }

    # What stays keeps its date, so that no thresholds become older than it; where nothing holds, it is confirmed.
    is_new = fitted.is_better or not _holds("temperature", desk.folder.read(), parts)

    def edit(old: SiteDescription) -> SiteDescription:
        return old.model_copy(update={"temperature": step}) if is_new else old

    desk.propose("temperature", edit, kept if is_new else None, figures)


def calibrate_thresholds(desk: Desk, evidence: Evidence, wish: Wish, words: str) -> None:
    """Fit the thresholds that give the owner's wish, and offer them.

    Raises:
        CheckFailedError: by them none of the pictures would be sorted.
        DatasetError: there are too few pictures, of one class alone, or of classes that the model does not know.
        MissingInputError: there is no such folder, or nothing was reviewed.
    """
    parts = desk.parts()
    measured, remarks = _measured(desk, parts, evidence)
    labelled, folds = measured.at(_temperature(parts)), folds_of(measured.objects)
    labels = parts.classifier.labels
    before = _thresholds_at(desk.folder.read(), parts)
    not_shown = _not_shown(measured)
    held = {labels.index(label): least_now(desk.config, label, before) for label in not_shown}
    fitted = fit_thresholds(labelled, holding_still(wish, held), folds)
    found = {
        label: _class_step(least, counts)
        for label, least, counts in zip(labels, fitted.min_confidence, fitted.of_class, strict=True)
        if counts.num_pictures and label not in not_shown
    }
    _tell_thresholds(desk, labels, fitted, found, words)
    for label in labels:
        if label not in found:
            why = f"No picture {'shows' if label in not_shown else 'was answered as'} {label}"
            desk.talk.say(f"{why}: {what_stays(desk.config, label, before)}.")
    curve = {
        share: fit_thresholds(labelled, holding_still(precision_wish(share), held), folds).overall
        for share in _OTHER_WISHES
    }
    _tell_choice(desk, curve)
    if not accepted(labelled, fitted.min_confidence).any():
        raise CheckFailedError(
            f"for this wish none of the {len(labelled.truth)} pictures would be sorted; nothing was changed: ask for"
            " less, give more pictures, or teach the bin first"
        )
    unheeded = tuple(why_unheeded(desk.config, found))
    for sentence in unheeded:
        desk.talk.say(sentence)
    kept = _kept(measured)
    step = ThresholdsStep(
        made_at=desk.now(),
        bundle=parts.bundle.bundle_id,
        judged=next(iter(kept)),
        wish=words,
        num_pictures=len(measured.truth),
        classes=found,
    )

    def edit(old: SiteDescription) -> SiteDescription:
        classes = {**_thresholds_at(old, parts), **found}
        return old.model_copy(update={"thresholds": step.model_copy(update={"classes": classes})})

    figures: dict[str, JsonValue] = {
        "wish": words,
        "remarks": [*remarks, *unheeded],
        **_thresholds_json(fitted, labels, {**before, **found}),
        "accuracy_against_unknown": {f"{share:.2f}": _tally_json(counts) for share, counts in curve.items()},
    }
    desk.propose("thresholds", edit, kept, figures)


def _thresholds_at(described: SiteDescription, parts: Parts) -> dict[str, ClassStep]:
    """What holds already, of the classes that are told apart now."""
    step = holding(described, parts.bundle).thresholds
    return {label: one for label, one in (step.classes if step else {}).items() if label in parts.classifier.labels}


def _holds(step: str, described: SiteDescription, parts: Parts) -> bool:
    return step in model_steps(described) and step not in what_is_stale(described, parts.bundle)


def _least(step: ClassStep | None) -> float | None:
    return None if step is None else step.min_confidence


def _class_step(least: float, counts: Tally) -> ClassStep:
    return ClassStep(
        min_confidence=least,
        num_accepted=counts.num_accepted,
        num_right=counts.num_right,
        num_items=counts.num_objects,
    )


def _kept(measured: Measured) -> dict[str, bytes]:
    """The part of the site from which the report draws."""
    encoded = measured.encode()
    return {part_name("judged.npz", encoded): encoded}


def _temperature(parts: Parts) -> float:
    return parts.site.temperature or parts.bundle.manifest.temperature


def _measured(desk: Desk, parts: Parts, evidence: Evidence) -> tuple[Measured, tuple[str, ...]]:
    """What the bin makes of the evidence, and what to mind about it, which was said."""
    if evidence.pictures is None:
        measured, doubt = _measured_review(desk, parts)
    else:
        measured = _measured_folder(desk, parts, evidence.pictures, are_crops=evidence.are_crops)
        doubt = _mostly_wrong(measured)
    num_pictures, num_objects = len(measured.truth), len(set(measured.objects.tolist()))
    if num_objects < _FEWEST_PICTURES:
        raise DatasetError(
            f"{evidence.pictures or 'the reviewed items'}: expected pictures of at least {_FEWEST_PICTURES} different"
            f" items, found {num_objects}"
        )
    not_shown = _not_shown(measured)
    if len(not_shown) == len(measured.labels) - 1:
        raise DatasetError(
            f"{evidence.pictures or 'the reviewed items'}: expected pictures of at least two classes, found only"
            f" {measured.labels[measured.truth[0]]}: how often that answer is wrong shows in pictures of the others,"
            " add some of each"
        )
    few = f"That is few: take the figures as rough until there are {_FEW_PICTURES}."
    unknown = (
        f"No picture shows {some_of(not_shown)}: how often one of these is taken for something else cannot be known"
        " without them, so that the shares of right answers are too high."
    )
    remarks = tuple(filter(None, (few if num_objects < _FEW_PICTURES else None, unknown if not_shown else None, doubt)))
    desk.talk.say(f"{counted(num_pictures, 'picture')} of {counted(num_objects, 'item')}, {_shares(measured, parts)}.")
    for remark in remarks:
        desk.talk.say(remark)
    return measured, remarks


def _mostly_wrong(measured: Measured) -> str | None:
    """What to mind where most answers are wrong: no temperature and no threshold makes up for folders mixed up."""
    num_right, num = int((measured.logits.argmax(axis=1) == measured.truth).sum()), len(measured.truth)
    if 2 * num_right >= num:
        return None
    return (
        f"Of {num} pictures this bin is right on {num_right} only: are the folders named after what they show? If they"
        " are, teach it first (`sorter teach --images`)."
    )


def _measured_folder(desk: Desk, parts: Parts, folder: Path, *, are_crops: bool) -> Measured:
    finder = None if are_crops else parts.finder()

    def find(image: Image) -> Box | None:
        return finder.find(image) if finder is not None and finder.shows_scene(image) else None

    dataset = scan(folder)
    if dataset.has_splits:
        desk.talk.say(f"Of {folder} the val part is taken, which training has not seen.")
    measured = measure(
        dataset,
        parts.classifier,
        _temperature(parts),
        find,
        lambda rows: desk.talk.bar(rows, "pictures"),
        _taught(desk, parts),
    )
    for line in in_words(measured.left_out):
        desk.talk.say(f"left out: {line}")
    if measured.num_taught:
        desk.talk.say(
            f"{measured.num_taught} of them were taught: each is judged by a head that has not seen what it shows."
        )
    return measured


def _taught(desk: Desk, parts: Parts) -> Taught:
    """What the bin was taught, as heads see it that were not shown such a thing."""
    if parts.site.head is None:
        return NONE_TAUGHT
    head = open_head(parts.site, parts.bundle)
    teaching = Teaching(parts.bundle, desk.folder, desk.config.model.threads)
    examples = teaching.shown().examples
    # Whether light is undone was decided when it was taught; to look through all pictures for it again takes longest.
    undoes_light = head is not None and len(head.light.grounds) > 0
    lesson = teaching.learn(examples, ()) if undoes_light else learn(parts.bundle, examples)
    logits = as_logits(lesson.held_out, parts.bundle.manifest.temperature)
    return {
        example.picture: one if example.label in lesson.judged else None
        for example, one in zip(lesson.examples, logits, strict=True)
    }


def _measured_review(desk: Desk, parts: Parts) -> tuple[Measured, str | None]:
    folder = pictures_folder(desk.config)
    if folder is None:
        raise MissingInputError("no pictures of items are kept here (pictures.enabled = false): give a data folder")
    ring = PictureReader(folder)
    review = read_review(journal_path(desk.config), ring, parts.classifier.labels)
    for sentence in review.left_out:
        desk.talk.say(sentence)
    pictures = pictures_of(review, ring, lambda items: desk.talk.bar(items, "items"))
    measured = measure_pictures(pictures, parts.classifier, _temperature(parts))
    if measured is None:
        raise DatasetError(f"{folder}: none of the reviewed items can be judged")
    return measured, review.skew


def _not_shown(measured: Measured) -> tuple[str, ...]:
    """The classes that no picture shows."""
    shown = set(measured.truth.tolist())
    return tuple(label for index, label in enumerate(measured.labels) if index not in shown)


def _shares(measured: Measured, parts: Parts) -> str:
    counts = {label: int((measured.truth == index).sum()) for index, label in enumerate(parts.classifier.labels)}
    return some_of([f"{count} of {label}" for label, count in counts.items()])


def _tell_temperature(desk: Desk, fitted: FittedTemperature) -> None:
    say = desk.talk.say
    say("\nWhen the model says it is 90 % sure, is it right 9 times out of 10? It is off by")
    say(f"  {fitted.ece_before:5.1%} now")
    say(f"  {fitted.ece_after:5.1%} with the temperature {fitted.value:g}, on pictures left out when finding it")
    say(f"  {fitted.ece_chance:5.1%} is what so few pictures would show of perfectly honest scores, by chance")


def _tell_thresholds(
    desk: Desk, labels: tuple[str, ...], fitted: FittedThresholds, found: Mapping[str, ClassStep], words: str
) -> None:
    say = desk.talk.say
    say(f"\nThe wish: {words}. What is below its class's threshold goes unsorted, as unknown.")
    say("Each line was counted on pictures that were left out when the thresholds were found.\n")
    width = max(columns_of(label) for label in (*labels, "all together"))
    say(f"{'':{width}}  threshold  answered  accepted  right   so of as many others this share will be right")
    for label, counts in zip(labels, fitted.of_class, strict=True):
        least = threshold_text(found[label].min_confidence) if label in found else "-"
        forecast = _forecast(counts) if label in found else _UNSAID
        say(f"{padded(label, width)}  {least:>9}  {_counts_text(counts)}   {forecast}")
    say(f"{padded('all together', width)}  {'':9}  {_counts_text(fitted.overall)}   {_forecast(fitted.overall)}")
    for label, step in found.items():
        if step.min_confidence >= NEVER:
            say(f"{label} is never sure enough for this: it always goes as unknown. Ask for less, or teach it.")


def _tell_choice(desk: Desk, curve: Mapping[float, Tally]) -> None:
    say = desk.talk.say
    say("\nWhat other wishes would give:")
    for share, counts in curve.items():
        found = "none accepted" if counts.precision is None else f"{counts.precision:.1%} right"
        say(f"  --precision {share:.2f}: {1 - counts.coverage:4.0%} left as unknown, {found} of {counts.num_accepted}")


def _counts_text(counts: Tally) -> str:
    return f"{counts.num_pictures:8d}  {counts.num_accepted:8d}  {counts.num_right:5d}"


def _forecast(counts: Tally) -> str:
    low, high = counts.interval
    return f"{low:.0%} to {high:.0%}" if counts.num_accepted else _UNSAID


def _thresholds_json(
    fitted: FittedThresholds, labels: tuple[str, ...], classes: Mapping[str, ClassStep]
) -> dict[str, JsonValue]:
    of_class: dict[str, JsonValue] = {
        label: {"min_confidence": _least(classes.get(label)), **_tally_json(counts)}
        for label, counts in zip(labels, fitted.of_class, strict=True)
    }
    return {"overall": _tally_json(fitted.overall), "classes": of_class}


def _tally_json(counts: Tally) -> dict[str, JsonValue]:
    return {
        "num_pictures": counts.num_pictures,
        "num_accepted": counts.num_accepted,
        "num_right": counts.num_right,
        "num_items": counts.num_objects,
        "precision": counts.precision,
        "precision_interval95": list(counts.interval),
        "unknown_rate": 1 - counts.coverage,
    }
