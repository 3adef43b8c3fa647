"""How sure the model may be, and when that is enough."""
