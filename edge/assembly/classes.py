"""Which classes a bin tells apart, and in which of its bins each goes: what model, site and owner say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edge.bundle import Bundle
from edge.classifiers.taught import SiteHead, decode_head
from edge.config.complaints import Complaint
from edge.config.sections import Config
from edge.deciding.decision import DecisionPolicy, DecisionSettings
from edge.deciding.routing import Routing, misroutings, route
from edge.errors import InvalidDataError, SorterError
from edge.site import NO_SITE, Site, load_site, read_part


def open_site(config: Config, bundle: Bundle) -> Site:
    """The site that the configuration names, or none."""
    return NO_SITE if config.site is None else load_site(config.site, bundle)


def open_head(site: Site, bundle: Bundle) -> SiteHead | None:
    """What the bin was taught, as far as it holds for the bundle.

    Raises:
        InvalidDataError: the site's head does not fit the bundle.
    """
    size = bundle.manifest.outputs.embedding_size
    if site.head is None or site.folder is None or size is None:
        return None
    if site.head.labels[: len(bundle.manifest.labels)] != bundle.manifest.labels:
        raise InvalidDataError(f"{site.folder}: the taught classes do not begin with the model's: teach again")
    return decode_head(read_part(site.folder, site.head.head), len(site.head.labels), size)


def labels_at(site: Site, bundle: Bundle) -> tuple[str, ...]:
    """All classes that this bin tells apart: the model's, then those that it was taught."""
    return site.head.labels if site.head is not None else bundle.manifest.labels


def labels_of_bins(config: Config) -> dict[str, tuple[str, ...]]:
    """The labels that go into each bin."""
    return {name: section.labels for name, section in config.bins.items()}


def routing_at(config: Config, site: Site, bundle: Bundle) -> Routing:
    """Where each class goes.

    Raises:
        ConfigError: the bins do not fit the classes.
    """
    return route(labels_of_bins(config), labels_at(site, bundle), _unknown_bin(config), _new(site, bundle))


def class_misfits(config: Config, bundle: Bundle) -> Iterator[Complaint]:
    """All that keeps the site, the bins and what is said of single classes from fitting the model."""
    try:
        site = open_site(config, bundle)
        open_head(site, bundle)
    except SorterError as error:
        yield Complaint(("site",), f": {error}", error)
        site = NO_SITE
    labels, new = labels_at(site, bundle), _new(site, bundle)
    wrong = misroutings(labels_of_bins(config), labels, _unknown_bin(config), new)
    for name, problem in wrong:
        yield Complaint(("bins",) if name is None else ("bins", name, "labels"), f": {problem}")
    if wrong:
        return
    try:
        DecisionPolicy(decision_settings(config, site, bundle), labels, routing_at(config, site, bundle))
    except SorterError as error:
        yield Complaint(("decision",), f": {error}", error)


def decision_settings(config: Config, site: Site, bundle: Bundle) -> DecisionSettings:
    """When to accept: as calibrated, and before that as configured; without classes that must be taught again."""
    settings, lost = config.decision, set(_new(site, bundle)) - set(labels_at(site, bundle))
    costs = {
        name: {label: cost for label, cost in of_label.items() if label not in lost}
        for name, of_label in settings.costs.items()
    }
    classes = {label: own for label, own in {**site.thresholds, **settings.classes}.items() if label not in lost}
    return replace(settings, classes=classes, costs=costs)


def _new(site: Site, bundle: Bundle) -> tuple[str, ...]:
    """The classes that were taught here and that the model never had; with another model they must be taught again."""
    return tuple(label for label in site.taught if label not in bundle.manifest.labels)


def _unknown_bin(config: Config) -> str | None:
    """The bin that takes what is unknown."""
    return next((name for name, section in config.bins.items() if section.takes_unknown), None)
