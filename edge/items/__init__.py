"""An item's life: which item is which from frame to frame, and what its frames say together."""
