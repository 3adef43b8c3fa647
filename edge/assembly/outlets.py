"""Those who are told of each decision, from their sections."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

from edge.assembly.parts import Parts
from edge.config.outlets import FilesSection, MqttSection, WebhookSection
from edge.config.sections import Config
from edge.journal import Journal
from edge.models.remote_install import InstallReport
from edge.publishers.base import Publisher
from edge.publishers.connection import MqttSettings
from edge.publishers.home_assistant import HomeAssistantSettings, discovery
from edge.publishers.jsonlines import JsonLinesPublisher, JsonLinesSettings
from edge.publishers.mqtt import Announcement, MqttPublisher
from edge.publishers.retry import RetrySettings
from edge.publishers.state import count_topic
from edge.publishers.webhook import WebhookPublisher, WebhookSettings
from edge.running.consequences import Listener
from edge.running.farewell import Farewell
from edge.running.problems import Problems

# Where the journal remembers which bins a broker was told of, and where Home Assistant was told of the device.
_TOLD_BINS = "told_bins"
_TOLD_DEVICE = "told_device"

# Given topic (without the bin's prefix) and payload of a command.
OnCommand = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Outlets:
    """Those who are told, by what they are called; `mqtt` is one of them, None without a broker."""

    publishers: Mapping[str, Publisher]
    mqtt: MqttPublisher | None

    @property
    def listeners(self) -> list[Listener]:
        """Who is told of each decision."""
        return [publisher.tell for publisher in self.publishers.values()]

    def tell_install(self, report: InstallReport) -> None:
        """How an installation goes; what became of it also to those who come later. Any thread; never blocks."""
        if self.mqtt is not None:
            (self.mqtt.retain if report.is_final else self.mqtt.send)("install", report.to_json())

    def report(self, problems: Problems) -> None:
        """Say which of them cannot be told at present. Never blocks."""
        for name, publisher in self.publishers.items():
            problems.report(name, publisher.problem)


def open_outlets(stack: Farewell, parts: Parts, journal: Journal, on_command: OnCommand) -> Outlets:
    """All that the configuration names, started; `stack` stops them.

    `on_command` is given what arrives on the command topics, from the network's thread.

    Raises:
        MissingLibraryError, MissingInputError, ConfigError: as the publishers.
    """
    config = parts.config
    publishers: dict[str, Publisher] = {}
    mqtt = None
    if config.mqtt is not None:
        publishers["mqtt"] = mqtt = _mqtt_publisher(parts, config.mqtt, journal, on_command)
    if config.webhook is not None:
        publishers["webhook"] = WebhookPublisher(webhook_settings(config.webhook), journal.outbox("webhook"))
    if config.files is not None:
        publishers["files"] = JsonLinesPublisher(_file_settings(config.files), journal.outbox("files"))
    for publisher in publishers.values():
        publisher.start()
        stack.stopping(publisher.stop)
    return Outlets(publishers, mqtt)


def mqtt_settings(config: Config, section: MqttSection) -> MqttSettings:
    """The broker as the publisher takes it."""
    told = section.model_dump(exclude={"password", "protocol", "commands", "home_assistant", "discovery_prefix"})
    password = None if section.password is None else section.password.get_secret_value()
    return MqttSettings(config.device.id, password=password, speaks_5=section.protocol == "5", **told)


def webhook_settings(section: WebhookSection) -> WebhookSettings:
    """The address as the publisher takes it."""
    return WebhookSettings(
        url=section.url.get_secret_value(),
        token=None if section.token is None else section.token.get_secret_value(),
        ca_file=section.ca_file,
        timeout_s=section.timeout_s,
        retry=RetrySettings(section.retry_min_s, section.retry_max_s),
    )


def _file_settings(section: FilesSection) -> JsonLinesSettings:
    return JsonLinesSettings(section.path, section.max_bytes, section.num_old)


def _mqtt_publisher(parts: Parts, section: MqttSection, journal: Journal, on_command: OnCommand) -> MqttPublisher:
    settings = mqtt_settings(parts.config, section)
    former = _former_bins(journal, parts.bins)
    publisher = MqttPublisher(
        settings,
        journal.outbox("mqtt"),
        on_command if section.commands else None,
        announcement=_announcement(parts, section, settings.prefix, former, journal),
    )
    for name in former:
        publisher.retain(count_topic(name), "")
    return publisher


def _former_bins(journal: Journal, bins: Sequence[str]) -> list[str]:
    """The bins of earlier configurations and models, of which a broker may still tell; those of now are remembered."""
    told = sorted({*json.loads(journal.remembered(_TOLD_BINS) or "[]"), *journal.counts(), *bins})
    journal.remember(_TOLD_BINS, json.dumps(told))
    return [name for name in told if name not in bins]


def _announcement(
    parts: Parts, section: MqttSection, prefix: str, former: Sequence[str], journal: Journal
) -> Announcement | None:
    """What Home Assistant is told of the bin: nothing, once it was told and is not to know of it any more."""
    device = parts.config.device
    settings = HomeAssistantSettings(
        device_id=device.id,
        name=device.name or device.id,
        software_version=version("edge-sorter"),
        model=parts.bundle.short_name,
        discovery_prefix=section.discovery_prefix,
        obeys=section.commands,
    )
    announcement = discovery(settings, prefix, parts.bins, former)
    if section.home_assistant:
        journal.remember(_TOLD_DEVICE, announcement.topic)
        return announcement
    # By its own name only: one of another `device.id` may be the bin that this card is a copy of.
    return replace(announcement, payload="") if journal.remembered(_TOLD_DEVICE) == announcement.topic else None
