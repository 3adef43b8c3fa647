"""What is wrong with a folder of pictures, before a network learns it."""
