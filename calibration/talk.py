"""The conversation of a calibration step with whoever runs it: a person at a terminal, or a script.

Sentences go to stderr where a script wants JSON, so that stdout holds its one object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
from pydantic import JsonValue

from calibration.site.differences import differences
from calibration.site.site_file import SiteFolder
from edge.assembly.chosen import bundle_path
from edge.assembly.parts import Parts, load_parts
from edge.bundle import load_bundle
from edge.commands.options import verbosity
from edge.config.sections import Config
from edge.site import SITE, SiteDescription, default_site, model_steps, what_is_stale

T = TypeVar("T")
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Talk:
    """How a step speaks: `is_sure` answers every question with yes, `as_json` keeps stdout for the result."""

    is_sure: bool
    as_json: bool

    def say(self, sentence: str = "") -> None:
        """A sentence for a person."""
        if verbosity() >= 0:
            click.echo(sentence, err=self.as_json)

    def ask(self, question: str, *, default: bool = True) -> bool:
        """Yes or no; yes without asking where the owner said so beforehand."""
        return self.is_sure or click.confirm(question, default=default, err=self.as_json)

    def read(self, question: str, default: str) -> str:
        """What the person types, stripped; the default for Enter, and without asking where nobody is to be asked."""
        if self.is_sure:
            return default
        answer = click.prompt(question, default=default, show_default=bool(default), err=self.as_json)
        return str(answer).strip()

    def wait(self, request: str) -> None:
        """Until the person has done what they were asked for."""
        if self.is_sure:
            self.say(request)
        else:
            click.prompt(f"{request}, then press Enter", default="", show_default=False, err=self.as_json)

    def bar(self, things: Sequence[T], label: str) -> Iterable[T]:
        """A progress bar on stderr, at a terminal only."""
        return _with_bar(things, label) if sys.stderr.isatty() and verbosity() >= 0 else things

    def result(self, step: str, fields: Mapping[str, JsonValue]) -> None:
        """The object for the script; nothing for a person, who was told already."""
        if self.as_json:
            click.echo(json.dumps({"schema": SCHEMA, "step": step, **fields}, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Desk:
    """What every step needs: the configuration as the bin has it, the site that is changed, and the talk."""

    config: Config
    folder: SiteFolder
    talk: Talk

    def now(self) -> datetime:
        """When the step is done, as the site file writes it down."""
        return datetime.now(UTC).replace(microsecond=0)

    def parts(self) -> Parts:
        """What the configuration names, with the site that is worked on in place of its own, as far as there is one."""
        is_there = (self.folder.path / SITE).is_file()
        return load_parts(self.config.model_copy(update={"site": self.folder.path if is_there else None}))

    def propose(
        self,
        step: str,
        edit: Callable[[SiteDescription], SiteDescription],
        parts: Mapping[str, bytes] | None = None,
        figures: Mapping[str, JsonValue] | None = None,
    ) -> bool:
        """Show what a step would change, ask, and change it. Whether it did."""
        before = self.folder.read()
        after = edit(before)
        changes = differences(before, after)
        self.talk.say("\nThis would change the site file:" if changes else f"\n{_unsaid(before, after, parts)}")
        for line in changes:
            self.talk.say(f"  {line}")
        is_changed = bool(changes or parts) and self.talk.ask("Keep it?")
        if is_changed:
            self.folder.change(edit, parts)
            self.talk.say(f"Kept in {self.folder.path}. `sorter calibrate undo` goes back to what was before.")
            self._say_what_is_stale(before)
            self._say_how_to_use()
        else:
            self.talk.say("Nothing was changed.")
        fields: dict[str, JsonValue] = {"changed": is_changed, "site": str(self.folder.path), "changes": list(changes)}
        self.talk.result(step, {**fields, **(figures or {})})
        return is_changed

    def _say_what_is_stale(self, before: SiteDescription) -> None:
        """Of the steps that are stale now, those that were not before."""
        after = self.folder.read()
        if model_steps(after) == model_steps(before):
            return
        bundle = load_bundle(bundle_path(self.config))
        known = what_is_stale(before, bundle)
        for name, sentence in what_is_stale(after, bundle).items():
            if name not in known:
                self.talk.say(f"To be done again now: {sentence}.")

    def _say_how_to_use(self) -> None:
        if self.folder.path != site_path(None, self.config):
            self.talk.say(
                "A bin takes it when it is told to: with --site, or by this line at the top of its configuration:"
                f' site = "{self.folder.path}"'
            )


def _unsaid(before: SiteDescription, after: SiteDescription, parts: Mapping[str, bytes] | None) -> str:
    """What is new where no setting is."""
    if parts and set(after.parts()) != set(before.parts()):
        return "The settings in the site file stay as they are; what was learned is new."
    return f"The site file says so already{'; only the date is new' if parts else ''}."


def site_path(chosen: Path | None, config: Config) -> Path:
    """The site that is worked on: the one asked for, else the configuration's, else this machine's."""
    return (chosen or config.site or default_site()).absolute()


def _with_bar(things: Sequence[T], label: str) -> Iterator[T]:
    with click.progressbar(things, label=label, file=sys.stderr) as shown:
        yield from shown
