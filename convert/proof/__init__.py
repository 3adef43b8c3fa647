"""What a conversion changed, and what the device can check of it."""
