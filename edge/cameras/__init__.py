"""Where frames come from: one backend a module, chosen by name in the config."""
