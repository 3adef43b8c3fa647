"""The device's commands. Each module is light: what is heavy is imported inside the command."""

from __future__ import annotations

import click

from edge.commands.classify import classify
from edge.commands.config import config
from edge.commands.demo import demo
from edge.commands.replay import replay
from edge.commands.run import run

COMMANDS: list[click.Command] = [classify, config, demo, replay, run]
