"""From sections of the configuration to parts that work: one module for each room of `edge`."""
