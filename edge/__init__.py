"""The device: camera to bin decision. The floor the other three packages stand on."""
