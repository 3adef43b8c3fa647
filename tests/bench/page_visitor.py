"""Somebody who has the page open: `python -m tests.bench.page_visitor ADDRESS`; see `page_cost`.

Loads nothing but the standard library. Prints a line for each picture, until it is killed.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time

POLL_S = 1.0


def visit(address: str) -> None:
    """Ask for pictures, one after another, and for the state once a second, as the page does; until killed."""
    host = address.split("/")[2]

    def follow_state() -> None:
        connection, newest = http.client.HTTPConnection(host), 0
        while True:
            connection.request("GET", f"/api/now?after={newest}")
            decisions = json.loads(connection.getresponse().read())["decisions"]
            newest = decisions[0]["seq"] if decisions else newest
            for decision in decisions:
                connection.request("GET", f"/api/pictures/{decision['id']}.jpg")
                connection.getresponse().read()
            time.sleep(POLL_S)

    threading.Thread(target=follow_state, daemon=True).start()
    connection, after = http.client.HTTPConnection(host), -1
    while True:
        connection.request("GET", f"/api/live.jpg?after={after}")
        answer = connection.getresponse()
        answer.read()
        told = answer.getheader("Sorter-Sight")
        after = json.loads(told)["sequence"] if told else after
        print(after, flush=True)


if __name__ == "__main__":
    visit(sys.argv[1])
