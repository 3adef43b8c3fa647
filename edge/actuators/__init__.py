"""What moves: one actuator backend a module, chosen by name in the config."""
