"""Charts and pages that one file holds."""
