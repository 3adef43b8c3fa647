"""Items shown to a bin, and what it makes of them."""
