"""The site file, written whole or not at all, and what a change of it would do."""
