"""A network from its first weights to its run directory, so that a kill costs one epoch at most."""
