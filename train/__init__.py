"""The workstation: from a folder of pictures to a run directory with a trained Keras model."""
