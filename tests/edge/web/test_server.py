"""The page over real sockets: its parts, its door, and that it goes when it is told to."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from dataclasses import replace
from typing import Any

import cv2
import pytest

from edge.errors import AccessDeniedError, TryAgainError, UnavailableError
from edge.web.listening import listen_at
from edge.web.occlusion import NUM_CELLS
from edge.web.server import PageServer
from edge.web.settings import PageSettings
from edge.web.teaching import MAX_LOOKS
from tests.edge.web.standing import INPUT, LABELS, TOKEN, AttentiveTeacher, StandingBin, Visitor, a_sight, an_image

PICTURE = cv2.imencode(".jpg", an_image())[1].tobytes()


class LateTeacher(AttentiveTeacher):
    """Comes second at first, as when somebody teaches at a terminal."""

    has_come = False

    def teach(self, label: str, images: Any) -> str:
        if not self.has_come:
            self.has_come = True
            raise TryAgainError("somebody else taught this bin meanwhile: teach this once more")
        return super().teach(label, images)


def test_the_page_says_what_it_has(visitor: Visitor) -> None:
    about = visitor.ask("/api/about").told
    assert (about["name"], about["labels"]) == ("test bin", list(LABELS))
    assert about["parts"] == {"live": True, "review": True, "try": True, "teach": False}


def test_the_pages_files_come_from_here_and_may_load_nothing_from_elsewhere(visitor: Visitor) -> None:
    page = visitor.ask("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name in ("style.css", "app.js", "dom.js", "icon.svg"):
        file = visitor.ask(f"/page/{name}")
        assert file.status == 200
        assert f"/page/{name}" in page.body.decode() or name == "dom.js"
        # The namespaces of SVG are names, not addresses that are asked.
        assert b"http" not in file.body.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"http" not in page.body


def test_every_answer_is_kept_in_its_frame(visitor: Visitor) -> None:
    for path in ("/", "/api/about", "/api/nothing", "/page/nothing"):
        headers = visitor.ask(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_a_dropped_picture_is_answered_at_once_and_explained_row_by_row(visitor: Visitor) -> None:
    answer = visitor.ask("/api/try", PICTURE, Content_Type="image/jpeg")
    scores, *rows = [json.loads(line) for line in answer.body.splitlines()]
    assert scores["scores"] == pytest.approx({"glass": 0.1, "metal": 0.9}, abs=1e-6)
    assert len(rows) == scores["num_rows"] == NUM_CELLS
    assert all(set(row["heat"]) == set(LABELS) and len(row["heat"]["glass"]) == NUM_CELLS for row in rows)


def test_what_is_no_picture_is_told_so(visitor: Visitor) -> None:
    for body, words in ((b"no picture", "not a JPEG"), (b"", "not a JPEG"), (PICTURE[:200], "damaged")):
        answer = visitor.ask("/api/try", body, Content_Type="image/jpeg")
        assert answer.status == 422
        assert words in answer.told["error"]
    assert visitor.ask("/api/try", PICTURE).status == 200, "the next one is served"


def test_no_number_in_an_address_asks_for_the_whole_journal(standing: StandingBin, visitor: Visitor) -> None:
    for _ in range(3):
        standing.decide()
    for limit in ("-1", "0", "-999"):
        assert visitor.ask(f"/api/decisions?before=99&limit={limit}").told["decisions"] == []
    assert len(visitor.ask("/api/decisions?before=4&limit=999").told["decisions"]) == 3
    for wrong in ("x", "", "1.5", "--1", "9" * 30):
        assert visitor.ask(f"/api/decisions?before={wrong}").status == 400


def test_a_journal_that_cannot_be_read_is_told_and_fills_no_log(
    standing: StandingBin, caplog: pytest.LogCaptureFixture
) -> None:
    with standing.served() as someone:
        standing.journal.close()
        answer = someone.ask("/api/now")
    assert answer.status == 503
    assert "cannot be read or written" in answer.told["error"]
    assert caplog.messages == []


def test_a_page_without_a_bin_only_tries(standing: StandingBin) -> None:
    standing.window = replace(standing.window, work=None)
    with standing.served() as someone:
        assert someone.ask("/api/about").told["parts"] == {"live": False, "review": False, "try": True, "teach": False}
        assert someone.ask("/api/now").status == 404
        assert someone.ask("/api/try", PICTURE).status == 200


def test_looks_become_a_lesson() -> None:
    teacher = AttentiveTeacher()
    standing = StandingBin(teacher)
    with standing.served() as someone:
        assert someone.ask("/api/teach/look", b"").status == 409, "nothing was seen yet"
        standing.see(a_sight(1))
        assert "nothing lies there" in someone.ask("/api/teach/look", b"").told["error"]
        assert someone.send("/api/teach", {"label": "cup", "looks": []}).status == 400, "nothing was looked at"
        looks = [look_at(someone, standing, sequence) for sequence in (2, 3)]
        assert someone.send("/api/teach", {"label": "cup", "looks": looks}).told == {"said": "cup is known now"}
        again = someone.send("/api/teach", {"label": "cup", "looks": looks})
        assert (again.status, "look again" in again.told["error"]) == (409, True), "the looks are used up"
    assert teacher.lessons == [("cup", 2)]
    assert {look.shape for look in teacher.looks} == {(INPUT.height_px, INPUT.width_px, 3)}, "not the frame's size"
    standing.close()


def test_what_lay_there_before_the_camera_was_taken_away_is_not_taught() -> None:
    standing = StandingBin(AttentiveTeacher())
    with standing.served() as someone:
        look_at(someone, standing, 1)
        standing.now_s += 60.0
        assert "the camera gives no picture now" in someone.ask("/api/teach/look", b"").told["error"]
        look_at(someone, standing, 2)
    standing.close()


def look_at(someone: Visitor, standing: StandingBin, sequence: int) -> str:
    """The name of one more look."""
    standing.see(a_sight(sequence, item_id=1))
    look = someone.ask("/api/teach/look", b"")
    assert look.status == 200
    assert look.body.startswith(b"\xff\xd8")
    return look.headers["sorter-look"]


def test_two_who_teach_at_once_each_teach_what_they_looked_at_themselves() -> None:
    teacher = AttentiveTeacher()
    standing = StandingBin(teacher)
    with standing.served() as someone:
        cups = [look_at(someone, standing, 1)]
        cans = [look_at(someone, standing, 2), look_at(someone, standing, 3)]
        assert someone.send("/api/teach", {"label": "can", "looks": cans}).status == 200
        cups.append(look_at(someone, standing, 4))
        assert someone.send("/api/teach", {"label": "cup", "looks": cups}).status == 200
    assert teacher.lessons == [("can", 2), ("cup", 2)]
    standing.close()


def test_more_looks_than_are_kept_make_the_oldest_unknown() -> None:
    teacher = AttentiveTeacher()
    standing = StandingBin(teacher)
    with standing.served() as someone:
        looks = [look_at(someone, standing, sequence) for sequence in range(1, MAX_LOOKS + 2)]
        assert someone.send("/api/teach", {"label": "cup", "looks": looks[:2]}).status == 409
        assert someone.send("/api/teach", {"label": "cup", "looks": looks[1:]}).status == 200
    assert teacher.lessons == [("cup", MAX_LOOKS)]
    standing.close()


def test_a_lesson_that_came_second_is_told_and_its_looks_stay() -> None:
    teacher = LateTeacher()
    standing = StandingBin(teacher)
    with standing.served() as someone:
        form = {"label": "cup", "looks": [look_at(someone, standing, 1)]}
        refused = someone.send("/api/teach", form)
        assert refused.status == 409
        assert "teach this once more" in refused.told["error"]
        assert someone.send("/api/teach", form).told == {"said": "cup is known now"}
    assert teacher.lessons == [("cup", 1)]
    standing.close()


def test_prometheus_accepts_the_metrics(standing: StandingBin, visitor: Visitor, promtool: str) -> None:
    standing.decide()
    answer = visitor.ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    assert "sorter_frames_total 1" in lines
    assert 'sorter_decisions_total{outcome="accepted",bin="recycling"} 1' in lines
    assert 'sorter_phase{phase="settled"} 1' in lines
    assert 'sorter_decision_latency_seconds_bucket{le="0.5"} 1' in lines
    checked = subprocess.run([promtool, "check", "metrics"], input=answer.body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_without_the_token_nothing_of_the_bin_is_told(standing: StandingBin) -> None:
    record = standing.decide()
    with standing.served(PageSettings(port=0, token=TOKEN)) as someone:
        for path in (
            "/api/about", "/api/now", "/api/live.jpg", "/api/decisions", f"/api/pictures/{record.id}.jpg",
            "/api/review", "/api/export.zip", "/metrics", "/api/nothing", "/docs",
        ):  # fmt: skip
            assert someone.ask(path).status == 401, path
        assert someone.ask("/api/try", PICTURE).status == 401
        assert someone.send("/api/review/label", {"ids": [record.id], "label": "glass"}).status == 401
        assert someone.ask("/").status == 200, "the page itself is where the token is asked for"
    assert standing.journal.decisions()[0].corrected is None


def test_a_token_opens_and_its_cookie_keeps_open(standing: StandingBin) -> None:
    with standing.served(PageSettings(port=0, token=TOKEN)) as someone:
        assert someone.ask("/metrics", Authorization=f"Bearer {TOKEN}").status == 200
        answer = someone.send("/api/session", {"token": TOKEN})
        cookie = answer.headers["set-cookie"]
        assert answer.status == 204
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert someone.ask("/api/about", Cookie=cookie.partition(";")[0]).status == 200
        assert someone.ask("/api/about", Cookie=cookie.partition("=")[0] + "=0").status == 401


@pytest.mark.parametrize(("scheme", "is_secure"), [("https", True), ("http", False)])
def test_a_cookie_that_came_over_tls_goes_over_nothing_else(
    standing: StandingBin, scheme: str, *, is_secure: bool
) -> None:
    with standing.served(PageSettings(port=0, token=TOKEN)) as someone:
        told = json.dumps({"token": TOKEN}).encode()
        answer = someone.ask("/api/session", told, Origin=f"{scheme}://127.0.0.1:{someone.port}")
        assert answer.status == 204
        assert ("Secure" in answer.headers["set-cookie"]) is is_secure


def test_a_taken_port_and_a_host_that_nobody_knows_are_errors_that_say_so(standing: StandingBin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"port {port}: another program has it"):
            PageServer(PageSettings(port=port), standing.window)
    with pytest.raises((UnavailableError, AccessDeniedError)):
        PageServer(PageSettings("nobody.invalid", 0), standing.window)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_that_the_network_has_yet_to_give_is_waited_for(
    standing: StandingBin, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    """A bin sorts while the network is away, and it may come up after the bin."""
    server = PageServer(PageSettings(host, 0), standing.window)
    server.start()
    assert host in server.address
    assert caplog.messages == [f"web: {host} is no address of this machine now; nobody finds the page before it is one"]
    server.stop()
    with pytest.raises(UnavailableError, match=f"cannot listen on {host}"):
        listen_at(host, 0)


def test_when_it_stops_its_threads_end_although_somebody_watches(
    standing: StandingBin, caplog: pytest.LogCaptureFixture
) -> None:
    before = set(threading.enumerate())
    with standing.served() as someone, socket.create_connection(("127.0.0.1", someone.port)) as watcher:
        watcher.sendall(b"GET /api/live.jpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        someone.ask("/api/about")
    assert [thread.name for thread in set(threading.enumerate()) - before] == []
    assert caplog.messages == [], "a watcher is no error"
