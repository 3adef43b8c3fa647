"""From a run directory to a bundle that the device can trust."""
