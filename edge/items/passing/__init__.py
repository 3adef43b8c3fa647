"""Items that pass and never rest, on a belt or down a chute: several at once, each decided once.

Things are followed from frame to frame by where their box must be now; one that has only just come is expected
to go as the one before it went. A thing becomes an item once it has gone some way. Two that touch are one thing
for a while: both are then carried on at their own speed, and neither is classified.

From one frame in which they are seen to the next, things must go less than half the way to the thing before them:
of an even row that goes further nobody can say which is which. Between two of them must be a gap of about a tenth of
the picture: presence closes smaller ones, as between the cap and the label of a clear bottle. They are gaps of work
pixels: on four times as many, half of that is enough.
"""

from edge.items.passing.tracker import PassingTracker

__all__ = ["PassingTracker"]
