"""Decisions held against what happened, and against what was decided before."""
