"""What a configuration names, loaded and found to fit together; no hardware is touched."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from edge.assembly.chosen import load_chosen
from edge.assembly.classes import decision_settings, labels_at, open_head, open_site, routing_at
from edge.assembly.policy import AdjustablePolicy
from edge.bundle import Bundle
from edge.classifiers.base import Classifier
from edge.classifiers.litert import DELEGATES, LiteRTClassifier
from edge.classifiers.taught import SiteHead, TaughtClassifier
from edge.config.cameras import CameraSection, CsiCameraSection, UsbCameraSection
from edge.config.sections import Config
from edge.deciding.novelty import Novelty, load_novelty
from edge.deciding.routing import Routing
from edge.items.decided import SAME_LIKENESS
from edge.items.passing import PassingTracker
from edge.items.resting import RestTracker
from edge.items.tracking import Mode, Tracker
from edge.presence import PresenceDetector, PresenceSettings
from edge.presence.settings import Region
from edge.presence.stills import StillFinder
from edge.site import Site

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything between lens and bin that the configuration alone decides on.

    `complaint` tells of the model that `bundle` stands in for, None where it does for none.
    """

    config: Config
    bundle: Bundle
    complaint: str | None
    site: Site
    classifier: Classifier
    routing: Routing
    policy: AdjustablePolicy
    bins: tuple[str, ...]

    def tracker(self) -> Tracker:
        """What holds the items that wait, as they come in this bin."""
        match self.config.items.mode:
            case Mode.REST:
                return RestTracker(self.config.smoothing, same_likeness(self.bundle))
            case Mode.PASSING:
                return PassingTracker(self.config.items, self.config.smoothing)

    @property
    def presence_settings(self) -> PresenceSettings:
        """How items are noticed here: as configured, in the site's own region."""
        settings = self.config.presence
        settings = replace(settings, region=self.site.region) if self.site.region else settings
        # A belt may never lie still: without a reference its first frame must do.
        return replace(settings, learn_s=0.0) if self.config.items.mode is Mode.PASSING else settings

    def presence(self) -> PresenceDetector:
        """What notices items, before the site's own background."""
        return PresenceDetector(self.presence_settings, self.site.background, self.site.variation)

    def finder(self) -> StillFinder | None:
        """What finds the item in a picture of the scene; None while the empty scene is not known."""
        if self.site.background is None:
            return None
        return StillFinder(self.presence_settings, self.site.background)

    def camera(self) -> CameraSection:
        """The camera with the controls that calibration locked; those that the configuration names hold."""
        return calibrated_camera(self.config, self.site)


def load_parts(config: Config) -> Parts:
    """Load what the configuration names.

    Raises:
        SorterError: the bundle, the site file, the thresholds or the bins do not fit.
    """
    chosen = load_chosen(config)
    bundle = chosen.bundle
    if chosen.complaint is not None:
        log.error("%s", chosen.complaint)
    site = open_site(config, bundle)
    for sentence in site.again:
        log.warning("site %s: %s", config.site, sentence)
    if site.region is not None and config.presence.region not in (Region(), site.region):
        log.warning(
            "presence.region is left out: the site %s has a region of its own, which"
            " `sorter calibrate camera --region` sets",
            config.site,
        )
    labels = labels_at(site, bundle)
    routing = routing_at(config, site, bundle)
    head = open_head(site, bundle)
    return Parts(
        config=config,
        bundle=bundle,
        complaint=chosen.complaint,
        site=site,
        classifier=_classifier(bundle, site, head, config.model.threads, DELEGATES[config.model.backend]),
        routing=routing,
        policy=AdjustablePolicy(decision_settings(config, site, bundle), labels, routing, known_at(bundle, head)),
        bins=tuple(sorted({*routing.bin_of_label.values(), *config.bins})),
    )


def calibrated_camera(config: Config, site: Site) -> CameraSection:
    """The configured camera with the controls that the site locked; those that the configuration names hold."""
    section, calibrated = config.camera, site.camera
    if not isinstance(section, UsbCameraSection | CsiCameraSection):
        return section
    if calibrated is None or calibrated.backend != section.backend:
        return section
    return section.model_copy(update={"controls": {**calibrated.controls, **section.controls}})


def same_likeness(bundle: Bundle) -> float:
    """The cosine from which two of the network's embeddings may be of one thing."""
    measured = None if bundle.manifest.novelty is None else bundle.manifest.novelty.same_likeness
    return SAME_LIKENESS if measured is None else measured


def known_at(bundle: Bundle, head: SiteHead | None) -> Novelty | None:
    """What is no stranger: the classes that were trained, and those that were taught."""
    novelty = load_novelty(bundle)
    return novelty if novelty is None or head is None else novelty.joined_by(head.means)


def second_classifier(parts: Parts) -> Classifier:
    """Another one that says the same, for another thread than the loop's; on one core of the processor."""
    return _classifier(parts.bundle, parts.site, open_head(parts.site, parts.bundle), 1, None)


def classifier_at(config: Config, bundle: Bundle) -> Classifier:
    """What `bundle` would say in this bin: with what the site holds for it, on the processor.

    Raises:
        SorterError: the network cannot be loaded, or the site file cannot be used.
    """
    site = open_site(config, bundle)
    return _classifier(bundle, site, open_head(site, bundle), config.model.threads, None)


def _classifier(bundle: Bundle, site: Site, head: SiteHead | None, threads: int, delegate: str | None) -> Classifier:
    if head is None:
        return LiteRTClassifier(bundle, threads, site.temperature, delegate=delegate)
    own_temperature = bundle.manifest.temperature
    network = LiteRTClassifier(bundle, threads, delegate=delegate)
    sharpening = own_temperature / (site.temperature or own_temperature)
    return TaughtClassifier(network, head, labels_at(site, bundle), sharpening)
