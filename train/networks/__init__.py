"""Networks in Keras 3: one family of backbones a module, chosen by name in the recipe."""
