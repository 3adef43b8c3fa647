"""`sorter benchmark`: how fast this device is, stage by stage, and whether it stays so."""
