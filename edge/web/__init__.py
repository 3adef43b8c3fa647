"""The bin's page: live picture, decisions, review, try and teach; and its metrics. On by choice.

Everything here runs in threads of its own. The loop only puts a reference into a slot.
"""
