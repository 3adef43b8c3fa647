"""The policy, pure: from an item's evidence to one decision, and from a decision to a bin."""
