"""The device's commands. Each module is light: what is heavy is imported inside the command."""

from __future__ import annotations

import click

from edge.commands.actuators import actuators
from edge.commands.benchmark import benchmark
from edge.commands.classify import classify
from edge.commands.completion import completion
from edge.commands.config import config
from edge.commands.demo import demo
from edge.commands.doctor import doctor
from edge.commands.events import correct, events
from edge.commands.explain import explain
from edge.commands.init import init
from edge.commands.model import model
from edge.commands.record import record
from edge.commands.replay import replay
from edge.commands.run import run
from edge.commands.service import service
from edge.commands.simulate import simulate
from edge.commands.try_model import try_model

COMMANDS: list[click.Command] = [
    actuators,
    benchmark,
    classify,
    completion,
    config,
    correct,
    demo,
    doctor,
    events,
    explain,
    init,
    model,
    record,
    replay,
    run,
    service,
    simulate,
    try_model,
]
