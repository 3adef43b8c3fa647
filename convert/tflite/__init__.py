"""TFLite files: made from Keras, opened, read, described and changed."""
