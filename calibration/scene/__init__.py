"""What the camera sees: its settings, and the empty scene."""
