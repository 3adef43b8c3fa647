"""Items shown to a bin, and what it makes of them."""

# How many items a class is taught with where nobody says otherwise.
NUM_ITEMS = 10
