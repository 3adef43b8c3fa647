"""What it takes to do a run again."""

from __future__ import annotations

import json
import shlex

from edge.reports import page
from edge.run import Run
from train.report.story import Story


def _command(story: Story) -> str:
    """The line that makes the run anew, from the recipe as it was run, or the mean from its parts."""
    run = story.run
    if run.averaged:
        words = ["average", *(part.path for part in run.averaged)]
        options = [("--share", f"{part.share:.6g}") for part in run.averaged]
    else:
        words = ["train", str(story.root)]
        options = [("--recipe", str(story.folder.resolve())), ("--weights", run.weights), ("--seed", str(run.seed))]
        options += [("--threads", str(run.num_threads))] if run.num_threads else []
        options += [("--teacher", teacher.path) for teacher in run.teachers]
        options += [("--folds", str(run.fold.num_folds))] if run.fold else []
    return shlex.join(["sorter", *words, *(word for option in options for word in option), "--out", "AGAIN"])


def _sources(run: Run) -> list[str]:
    said = [f"Data: {run.data.num_pictures} pictures, sha256 {run.data.sha256}. Splits: splits.csv in the run."]
    if run.fold:
        said.append(f"This is fold {run.fold.number} of {run.fold.num_folds}; the line makes all of them.")
    if run.weights_sha256:
        said.append(f"First weights: sha256 {run.weights_sha256}.")
    return said


def how_to_do_it_again(story: Story) -> str:
    """The section with everything that makes the run, or the mean of runs, once more."""
    run = story.run
    versions = "\n".join(f"{name}=={version}" for name, version in sorted(run.versions.items()))
    return page.section(
        "To do it again",
        page.listing(_command(story)),
        page.text(" ".join(_sources(run))),
        page.text("The weights come out the same on a processor of the same kind; another rounds its sums otherwise."),
        page.folded("The recipe as it was run, overrides included", page.listing(json.dumps(run.settings, indent=1))),
        page.folded("Versions", page.listing(versions)),
    )
