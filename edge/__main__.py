"""`sorter`, also as `python -m edge`: while it is being loaded, Ctrl-C ends it without a stack trace."""

from __future__ import annotations

import signal


def main() -> None:
    """Load the command line and run it."""
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where a shell said to ignore it
    if is_heard:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edge.cli import main as run  # noqa: PLC0415 - a tenth of a second, in which a key can be pressed

    if is_heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
