"""What an item is: one inference backend a module, chosen by name in the config."""
