"""The report of a run: one page that tells the truth about it."""

from __future__ import annotations

from train.report.run_report import write_report

__all__ = ["write_report"]
