"""`sorter doctor`: what is well with a bin, what is not, and what to do about it."""
