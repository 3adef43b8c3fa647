"""Int8 that answers as float did: ranges, rounding, and more room where eight bits are too few."""
