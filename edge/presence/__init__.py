"""Is something there, does it lie still, is it one thing, and where: pure, from frames alone."""

from edge.presence.detector import PresenceDetector
from edge.presence.settings import PresenceSettings, Region

__all__ = ["PresenceDetector", "PresenceSettings", "Region"]
