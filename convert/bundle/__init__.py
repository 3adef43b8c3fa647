"""A bundle in the making: drafted in memory, described, and written whole or not at all."""
