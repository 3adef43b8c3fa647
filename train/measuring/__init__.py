"""What a network is worth: on held-out pictures, under other lamps, beside other networks."""
