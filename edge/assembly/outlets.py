"""Those who are told of each decision, from their sections."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.metadata import version

from edge.assembly.parts import Parts
from edge.config.outlets import FilesSection, MqttSection, WebhookSection
from edge.config.sections import Config
from edge.consequences import Listener
from edge.journal import Journal
from edge.publishers.base import Publisher
from edge.publishers.home_assistant import HomeAssistantSettings, discovery
from edge.publishers.jsonlines import JsonLinesPublisher, JsonLinesSettings
from edge.publishers.mqtt import Announcement, MqttPublisher, MqttSettings
from edge.publishers.retry import RetrySettings
from edge.publishers.webhook import WebhookPublisher, WebhookSettings


def open_outlets(stack: ExitStack, parts: Parts, journal: Journal) -> list[Listener]:
    """All that the configuration names, started; `stack` stops them."""
    config = parts.config
    publishers: list[Publisher] = []
    if config.mqtt is not None:
        publishers.append(_mqtt_publisher(parts, config.mqtt, journal))
    if config.webhook is not None:
        publishers.append(WebhookPublisher(webhook_settings(config.webhook), journal.outbox("webhook")))
    if config.files is not None:
        publishers.append(JsonLinesPublisher(_file_settings(config.files), journal.outbox("files")))
    for publisher in publishers:
        publisher.start()
        stack.callback(publisher.stop)
    return [publisher.tell for publisher in publishers]


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


def _mqtt_publisher(parts: Parts, section: MqttSection, journal: Journal) -> MqttPublisher:
    settings = mqtt_settings(parts.config, section)
    return MqttPublisher(
        settings,
        journal.outbox("mqtt"),
        journal.counts,
        announcement=_announcement(parts, section, settings.prefix) if section.home_assistant else None,
    )


def _announcement(parts: Parts, section: MqttSection, prefix: str) -> Announcement:
    device = parts.config.device
    settings = HomeAssistantSettings(
        device_id=device.id,
        name=device.name or device.id,
        software_version=version("edge-sorter"),
        model=parts.bundle.short_name,
        discovery_prefix=section.discovery_prefix,
    )
    return discovery(settings, prefix, parts.bins)
