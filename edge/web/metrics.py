"""`/metrics`: what a bin did and does, for Prometheus, in base units."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.host.kernel import hottest_c
from edge.messages import Phase
from edge.running.telemetry import Stage
from edge.web.exposition import CONTENT_TYPE, Exposition
from edge.web.window import Window, Work
from edge.web.workers import Workers


class MetricsPart:
    """The address of the metrics."""

    def __init__(
        self,
        window: Window,
        work: Work,
        num_watchers: Callable[[], int],
        workers: Workers,
        temperature_c: Callable[[], float | None] = hottest_c,
    ) -> None:
        self._window = window
        self._work = work
        self._num_watchers = num_watchers
        self._workers = workers
        self._temperature_c = temperature_c

    def routes(self) -> list[Route]:
        return [Route("/metrics", self._metrics)]

    async def _metrics(self, _request: Request) -> Response:
        text = await self._workers.do(self.text)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    def text(self) -> str:
        """All metrics now; reads the journal, so not for the event loop."""
        page = Exposition()
        self._identity(page)
        self._loop(page)
        self._decisions(page)
        self._process(page)
        return page.text()

    def _identity(self, page: Exposition) -> None:
        about = {
            "version": version("edge-sorter"), "device": self._window.name,
            "model": self._window.model, "site": self._window.site or "",
        }  # fmt: skip
        page.gauge("sorter_info", "What runs here; always 1.", [(tuple(about.items()), 1)])

    def _loop(self, page: Exposition) -> None:
        telemetry = self._work.telemetry
        page.counter("sorter_frames_total", "Frames that went through the whole loop.", [((), telemetry.num_frames)])
        stages = [((("stage", stage.value),), telemetry.histogram(stage)) for stage in Stage]
        page.histogram("sorter_stage_duration_seconds", "Time that one run of a stage took.", stages)
        phases = [((("phase", phase.value),), float(telemetry.phase is phase)) for phase in Phase]
        page.gauge("sorter_phase", "1 for what lies before the camera now, else 0.", phases)
        page.gauge("sorter_problems", "How many things are wrong now.", [((), len(self._work.problems()))])
        page.gauge("sorter_page_watchers", "Pages that wait for a picture now.", [((), self._num_watchers())])

    def _decisions(self, page: Exposition) -> None:
        tally = self._work.tally
        outcomes = [
            ((("outcome", outcome), ("bin", name)), float(count)) for (outcome, name), count in tally.by_outcome()
        ]
        page.counter("sorter_decisions_total", "Decisions since the process began.", outcomes)
        latency = [((), tally.latency)]
        page.histogram("sorter_decision_latency_seconds", "From coming to rest to the decision.", latency)
        # A gauge: the owner can reset it.
        counts = [((("bin", name),), float(count)) for name, count in self._work.journal.counts().items()]
        page.gauge("sorter_bin_items", "Items in each bin since its count was reset.", counts)

    def _process(self, page: Exposition) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        page.counter("process_cpu_seconds_total", "Processor time used.", [((), usage.ru_utime + usage.ru_stime)])
        page.gauge("process_start_time_seconds", "Unix time at which the page began.", [((), self._work.tally.began_s)])
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE")
        page.gauge("process_resident_memory_bytes", "Memory in use.", [((), resident)])
        page.gauge(
            "process_open_fds", "Open file descriptors.", [((), sum(1 for _ in Path("/proc/self/fd").iterdir()))]
        )
        temperature_c = self._temperature_c()
        if temperature_c is not None:
            page.gauge("sorter_temperature_celsius", "The computer's hottest place.", [((), temperature_c)])
