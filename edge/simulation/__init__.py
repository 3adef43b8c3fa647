"""Camera-like sequences built from photographs, with the truth about them: seeded, hence repeatable."""

from edge.simulation.clip import load_cutouts, load_grounds, truth_of, write_clip
from edge.simulation.cutout import Cutout, cut_out
from edge.simulation.lens import Conditions
from edge.simulation.scene import Plan, Scene

__all__ = [
    "Conditions",
    "Cutout",
    "Plan",
    "Scene",
    "cut_out",
    "load_cutouts",
    "load_grounds",
    "truth_of",
    "write_clip",
]
