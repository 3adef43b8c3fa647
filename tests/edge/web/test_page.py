"""The page in a real browser: what an owner sees, and does with keys alone."""

from __future__ import annotations

import io
import itertools
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import APIResponse, Browser, Page, Route, expect, sync_playwright

from edge.messages import Outcome
from edge.publishers.commands import SetEnabled
from edge.web.settings import PageSettings
from tests.edge.claimed_port import ClaimedPort
from tests.edge.web.standing import TOKEN, AttentiveTeacher, StandingBin, Visitor, a_sight, an_image

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root, as whom containers run.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page on a desktop; in the end nothing may have gone wrong in it, and no other host been asked."""
    expect.set_options(timeout=PATIENCE_MS)
    context = browser.new_context(viewport=DESKTOP, accept_downloads=True)  # type: ignore[arg-type]
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if _is_own(request.url) else wrong.append(f"asked {request.url}"))
    yield page
    context.close()
    # Refusals that tests provoke, and servers that end first.
    expected = re.compile(r"status of (40[14]|422|503)|net::ERR_")
    assert [words for words in wrong if not expected.search(words)] == []


def _is_own(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "blob:http://127.0.0.1:"))


def see_and_decide(standing: StandingBin, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        standing.decide(outcome)
    standing.see(a_sight(5000, item_id=9))


def keep_seeing(standing: StandingBin, page: Page) -> None:
    """Whenever the page asks how the bin does, its camera has seen the item once more: it does not stand still."""
    sequences = itertools.count(6000)

    def see(route: Route) -> None:
        standing.see(a_sight(next(sequences), item_id=9))
        route.continue_()

    page.route("**/api/now*", see)


def open_try(visitor: Visitor, page: Page) -> None:
    """Go where pictures are dropped, and wait until they are taken."""
    page.goto(f"{visitor.address}#try")
    expect(page.locator("#drop")).to_be_visible()


def test_the_live_picture_shows_the_item_with_its_box_and_scores(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    keep_seeing(standing, page)
    page.goto(visitor.address)
    expect(page.locator("#name")).to_have_text("test bin")
    expect(page.locator("#live-caption")).to_have_text("at rest")
    expect(page.locator("#live-tag")).to_have_text(re.compile("metal 80"))
    expect(page.locator("#live-scores li").first).to_contain_text("metal")
    expect(page.locator("#live-boxes rect.item")).to_be_visible()
    share = page.evaluate(
        """() => {
          const [box, picture] = ["#live-boxes rect.item", "#live-image"].map(
            (one) => document.querySelector(one).getBoundingClientRect());
          return [(box.x - picture.x) / picture.width, (box.y - picture.y) / picture.height];
        }"""
    )
    assert share == pytest.approx([0.25, 0.25], abs=0.02)  # the line of the box is some pixels wide


def test_a_decision_shows_as_it_falls_with_its_reason_and_what_is_wrong_with_the_bin(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    page.goto(visitor.address)
    expect(page.locator("#no-decisions")).to_be_visible()
    standing.decide()
    newest = page.locator("#decisions li").first
    expect(newest).to_contain_text("→ recycling")
    expect(newest).to_contain_text("confident: 6 of 6 frames say metal")
    expect(page.locator("#counts")).to_contain_text("1recycling")
    standing.problems.append("the camera was unplugged")
    expect(page.get_by_role("alert").first).to_have_text("the camera was unplugged")
    expect(page.locator("#state")).to_have_text("needs a look")


def test_several_at_once_are_not_said_to_be_nothing(standing: StandingBin, visitor: Visitor, page: Page) -> None:
    see_and_decide(standing, Outcome.MULTIPLE)
    page.goto(visitor.address)
    expect(page.locator("#decisions .what")).to_have_text("several at once")
    page.locator("#decisions button").click()
    expect(page.locator("#detail-title")).to_have_text("several at once")


def test_a_wrong_decision_is_corrected_where_it_is_shown(standing: StandingBin, visitor: Visitor, page: Page) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    page.goto(visitor.address)
    page.locator("#decisions button").first.press("Enter")
    expect(page.locator("#detail-reason")).to_have_text("confident: 6 of 6 frames say metal")
    page.locator("#detail-labels button").first.press("Enter")
    expect(page.locator("#detail-labels [aria-pressed=true]")).to_contain_text("glass")
    expect(page.locator("#detail-labels [aria-pressed=true]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#decisions li").first).to_contain_text("metalglass")
    expect(page.locator("#decisions button").first).to_be_focused()
    assert standing.journal.decisions()[0].corrected == "glass"


Late = tuple[Route, APIResponse]


def correct_before_the_answer(page: Page, visitor: Visitor) -> Late:
    """Open the first decision and correct it while the bin's answer to what it is is still on its way."""
    late: list[Late] = []
    page.route("**/api/decisions*", lambda route: late.append((route, route.fetch())))
    page.goto(visitor.address)
    page.locator("#decisions button").first.press("Enter")
    while not late:
        page.wait_for_timeout(20)
    page.keyboard.press("1")
    return late[0]


def let_it_arrive(page: Page, late: Late) -> None:
    route, answer = late
    with page.expect_response("**/api/decisions*"):
        route.fulfill(response=answer)
    page.wait_for_timeout(200)  # in which nothing may change


def test_a_correction_stays_on_the_screen_when_the_answer_of_before_comes_late(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    late = correct_before_the_answer(page, visitor)
    expect(page.locator("#detail-labels [aria-pressed=true]")).to_contain_text("glass")
    let_it_arrive(page, late)
    expect(page.locator("#detail-labels [aria-pressed=true]")).to_contain_text("glass")


def test_what_went_wrong_stays_told_when_the_answer_of_before_comes_late(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    page.route("**/api/review/label", lambda route: route.abort())
    late = correct_before_the_answer(page, visitor)
    expect(page.locator("#detail-error")).to_contain_text("The bin does not answer")
    let_it_arrive(page, late)
    expect(page.locator("#detail-error")).to_contain_text("The bin does not answer")


def test_one_key_labels_one_item_and_the_labelled_ones_go_home(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    records = [standing.decide(outcome, seed) for outcome, seed in [(Outcome.UNKNOWN, 1), (Outcome.TIMEOUT, 2)] * 2]
    page.goto(f"{visitor.address}#review")
    expect(page.locator("#review-count")).to_have_text(re.compile("^1 of 2"))
    expect(page.locator("#review-picture figcaption")).to_contain_text("2 alike")
    page.keyboard.press("1")
    expect(page.locator("#review-count")).to_have_text(re.compile("^1 of 1"))
    page.keyboard.press("x")
    expect(page.locator("#review-count")).to_have_text(re.compile("^1 of 1"))
    page.locator("#review-name").fill("old battery")
    page.locator("#review-name").press("Enter")
    expect(page.locator("#review-empty")).to_contain_text("Nothing waits for a label")
    with page.expect_download() as download:
        page.locator("#export").click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        folders = sorted(name.split("/")[0] for name in archive.namelist() if name != "groups.csv")
    assert folders == ["glass", "glass", "old battery", "old battery"]
    corrected = {entry.id: entry.corrected for entry in standing.journal.decisions()}
    assert corrected == dict(zip([record.id for record in records], ["old battery", "glass"] * 2, strict=True))


def test_a_key_that_is_pressed_before_the_last_label_has_arrived_is_for_the_next_item(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    older, newer = (standing.decide(Outcome.UNKNOWN, seed) for seed in (1, 2))
    page.route("**/api/review/label", lambda route: (page.wait_for_timeout(300), route.continue_())[1])
    page.goto(f"{visitor.address}#review")
    expect(page.locator("#review-count")).to_have_text(re.compile("^1 of 2"))
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(page.locator("#review-empty")).to_be_visible()
    corrected = {entry.id: entry.corrected for entry in standing.journal.decisions()}
    assert corrected == {newer.id: "glass", older.id: "metal"}


def test_who_reviews_without_a_mouse_stays_on_the_button_that_was_pressed(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    for seed in range(4):
        standing.decide(Outcome.UNKNOWN, seed)
    page.goto(f"{visitor.address}#review")
    glass = page.locator("#review-labels button").first
    glass.focus()
    for num_left in (3, 2):
        page.keyboard.press("Enter")
        expect(page.locator("#review-count")).to_have_text(re.compile(f"^1 of {num_left}"))
        expect(glass).to_be_focused()
    page.locator("#review-strip button").last.press("Enter")
    expect(page.locator("#review-count")).to_have_text(re.compile("^2 of 2"))
    expect(page.locator("#review-strip button").last).to_be_focused()


def test_the_last_label_can_be_changed(standing: StandingBin, visitor: Visitor, page: Page) -> None:
    see_and_decide(standing, Outcome.UNKNOWN)
    page.goto(f"{visitor.address}#review")
    expect(page.locator("#review-guess")).to_contain_text("metal")
    page.keyboard.press("1")
    expect(page.locator("#review-empty")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator("#review-guess")).to_have_text("You say: glass")
    page.keyboard.press("2")
    expect(page.locator("#review-guess")).to_have_text("You say: metal")
    assert standing.journal.decisions()[0].corrected == "metal"


def test_without_a_keyboard_one_says_as_well_that_it_was_wrong_whatever_it_is(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    standing.decide(Outcome.UNKNOWN, 1)
    standing.decide(Outcome.ACCEPTED, 2)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(f"{visitor.address}#review")
    # Whoever hears the page hears no key as a part of a class's name.
    wrong = page.get_by_role("button", name="simply wrong", exact=True)
    wrong.click()
    expect(wrong).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Live").click()
    page.locator("#decisions button").first.click()
    wrong.click()
    expect(wrong).to_have_attribute("aria-pressed", "true")
    assert [(entry.is_wrong, entry.corrected) for entry in standing.journal.decisions()] == [(True, None)] * 2


def test_a_decision_is_called_wrong_by_key_where_it_is_shown_but_not_by_a_shortcut_of_the_browsers(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    page.goto(visitor.address)
    page.locator("#decisions button").click()
    page.keyboard.press("Control+x")
    page.keyboard.press("9")
    page.keyboard.press("1")
    expect(page.locator("#detail-labels [aria-pressed=true]")).to_contain_text("glass")
    page.keyboard.press("x")
    expect(page.locator("#detail-labels [aria-pressed=true]")).to_contain_text("wrong")
    assert standing.journal.decisions()[0].corrected is None


def test_what_one_browser_labels_leaves_the_list_of_another_but_for_what_is_looked_at_there(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    for seed in range(3):
        standing.decide(Outcome.UNKNOWN, seed)
    other = page.context.new_page()
    for one in (page, other):
        one.goto(f"{visitor.address}#review")
        expect(one.locator("#review-count")).to_have_text(re.compile("^1 of 3"))
    page.keyboard.press("1")
    expect(page.locator("#review-count")).to_have_text(re.compile("^1 of 2"))
    expect(other.locator("#review-guess")).to_have_text("You say: glass")
    expect(other.locator("#review-count")).to_have_text(re.compile("^1 of 3"))
    page.locator("#review-name").fill("old battery")
    page.locator("#review-name").press("Enter")
    expect(other.locator("#review-count")).to_have_text(re.compile("^1 of 2"))
    expect(other.get_by_role("button", name="old battery")).to_be_visible()
    other.keyboard.press("ArrowRight")
    expect(other.locator("#review-count")).to_have_text(re.compile("^1 of 1"))
    expect(other.locator("#review-guess")).to_contain_text("Taken for metal")
    other.keyboard.press("2")
    expect(page.locator("#review-guess")).to_have_text("You say: metal")
    assert [entry.corrected for entry in standing.journal.decisions()] == ["metal", "old battery", "glass"]


def test_what_got_no_label_is_called_simply_wrong_at_once(standing: StandingBin, visitor: Visitor, page: Page) -> None:
    see_and_decide(standing, Outcome.MULTIPLE)
    page.goto(visitor.address)
    page.locator("#decisions button").click()
    page.route("**/api/now*", lambda route: route.abort())  # which would tell it a second later
    wrong = page.get_by_role("button", name="simply wrong", exact=True)
    wrong.click()
    expect(wrong).to_have_attribute("aria-pressed", "true")


def test_what_one_browser_says_of_one_of_several_alike_leaves_the_others_in_the_list_of_another(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    alike = [standing.decide(Outcome.UNKNOWN, seed=1).id for _ in range(2)]
    other = standing.decide(Outcome.UNKNOWN, seed=2).id
    page.goto(f"{visitor.address}#review")
    expect(page.locator("#review-count")).to_have_text(re.compile("^1 of 2"))
    for ids in (alike[:1], [other]):
        visitor.send("/api/review/label", {"ids": ids, "label": "glass"})
    expect(page.locator("#review-guess")).to_have_text("You say: glass")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#review-picture figcaption")).to_contain_text("2 alike")
    visitor.send("/api/review/label", {"ids": alike, "label": "metal"})
    expect(page.locator("#review-guess")).to_have_text("You say: metal")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#review-empty h2")).to_have_text("Nothing waits for a label")
    visitor.send("/api/review/label", {"ids": [other], "label": None})
    expect(page.locator("#review-count")).to_have_text(re.compile("^1 of 1"))


def test_a_dropped_picture_gets_its_classes_and_a_heat_map(visitor: Visitor, page: Page, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.jpg"), an_image(3))
    open_try(visitor, page)
    page.set_input_files("#file", tmp_path / "photo.jpg")
    expect(page.locator("#try-title")).to_have_text(re.compile("^metal, 90"))
    expect(page.locator("#try-explained")).to_contain_text("what speaks for metal")
    page.locator("#try-scores button").nth(1).press("Enter")
    expect(page.locator("#try-explained")).to_contain_text("what speaks for glass")


def test_a_file_that_is_no_picture_is_told_so(visitor: Visitor, page: Page, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"no picture")
    open_try(visitor, page)
    page.set_input_files("#file", tmp_path / "photo.jpg")
    expect(page.locator("#try-error")).to_contain_text("not a picture")


def test_a_file_that_is_no_picture_leaves_the_one_before_where_it_was(
    visitor: Visitor, page: Page, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "photo.jpg"), an_image(3))
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7")
    open_try(visitor, page)
    page.set_input_files("#file", tmp_path / "photo.jpg")
    expect(page.locator("#try-title")).to_be_visible()
    page.set_input_files("#file", tmp_path / "letter.pdf")
    expect(page.locator("#try-error")).to_have_text("letter.pdf is not a picture that a browser can show.")
    assert page.locator("#try-image").evaluate("image => image.decode().then(() => image.naturalWidth)") == 160


def test_a_picture_that_the_bin_refuses_does_not_stand_beside_the_answer_to_the_one_before(
    visitor: Visitor, page: Page, tmp_path: Path
) -> None:
    whole = cv2.imencode(".jpg", an_image(3), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    (tmp_path / "whole.jpg").write_bytes(whole)
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])  # which a browser shows as far as it goes
    open_try(visitor, page)
    page.set_input_files("#file", tmp_path / "whole.jpg")
    expect(page.locator("#try-title")).to_be_visible()
    page.set_input_files("#file", tmp_path / "half.jpg")
    expect(page.locator("#try-error")).to_contain_text("the picture is damaged")
    expect(page.locator("#try-answer")).to_be_hidden()


def test_a_picture_that_is_dropped_beside_its_place_is_taken_and_the_page_stays(visitor: Visitor, page: Page) -> None:
    open_try(visitor, page)
    is_taken = page.evaluate(
        """async () => {
          const canvas = new OffscreenCanvas(40, 30);
          canvas.getContext("2d").fillRect(0, 0, 20, 20);
          const dropped = new DataTransfer();
          dropped.items.add(new File([await canvas.convertToBlob()], "photo.png", { type: "image/png" }));
          const event = new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true });
          return !document.querySelector("header").dispatchEvent(event);
        }"""
    )
    assert is_taken
    expect(page.locator("#try-title")).to_have_text(re.compile("^metal, 90"))


def test_a_thing_is_taught_by_looking_at_it(page: Page) -> None:
    teacher = AttentiveTeacher()
    standing = StandingBin(teacher)
    standing.see(a_sight(1, item_id=1))
    with standing.served() as visitor:
        page.goto(f"{visitor.address}#teach")
        for num_looks in (1, 2):
            page.locator("#look").click()
            expect(page.locator("#looks li")).to_have_count(num_looks)
        page.locator("#teach-name").fill("cup")
        page.locator("#teach-go").press("Enter")
        expect(page.locator("#teach-said")).to_have_text("cup is known now")
        expect(page.locator("#look")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#looks li")).to_have_count(1)
        page.locator("#drop-looks").press("Enter")
        expect(page.locator("#looks li")).to_have_count(0)
        expect(page.locator("#look")).to_be_focused()
    assert teacher.lessons == [("cup", 2)]
    standing.close()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_sorting_is_switched_off_and_the_threshold_moved_by_keys(page: Page, size: dict[str, int]) -> None:
    standing = StandingBin(is_steered=True)
    with standing.served() as visitor:
        page.set_viewport_size(size)  # type: ignore[arg-type]
        keep_seeing(standing, page)
        page.goto(visitor.address)
        switch, slider = page.get_by_role("switch", name="Sorting"), page.get_by_role("slider", name="Unknown below")
        expect(switch).to_be_checked()
        expect(page.locator("#threshold-told")).to_have_text(re.compile("^55"))
        with page.expect_response("**/api/controls"):
            switch.press("Space")
        standing.controls.attend()
        assert not standing.controls.is_enabled
        expect(page.locator("#enabled-words")).to_have_text("Only watching: nothing moves.")
        expect(page.locator("#state")).to_have_text("only watching")
        with page.expect_response("**/api/controls"):
            slider.press("ArrowRight")
        standing.controls.attend()
        assert standing.controls.unknown_threshold == 0.56
        expect(page.locator("#threshold-told")).to_have_text(re.compile("^56"))
        assert page.evaluate("() => document.documentElement.scrollWidth") <= size["width"]
        touched = [control.bounding_box() for control in (switch, slider)]
        assert all(box is not None and box["height"] >= 44 for box in touched), "a thumb must find it"
    standing.close()


def test_what_another_hand_changed_shows_on_the_page(page: Page) -> None:
    standing = StandingBin(is_steered=True)
    with standing.served() as visitor:
        page.goto(visitor.address)
        expect(page.get_by_role("switch", name="Sorting")).to_be_checked()
        standing.inbox.receive("enabled/set", b"OFF")
        standing.inbox.receive("unknown_threshold/set", b"0.7")
        standing.controls.attend()
        expect(page.get_by_role("switch", name="Sorting")).not_to_be_checked()
        expect(page.locator("#threshold-told")).to_have_text(re.compile("^70"))
    standing.close()


def test_a_bin_that_cannot_be_asked_says_so(page: Page) -> None:
    standing = StandingBin(is_steered=True)
    while standing.inbox.put(SetEnabled(is_enabled=True)):
        pass
    with standing.served() as visitor:
        page.goto(visitor.address)
        page.get_by_role("switch", name="Sorting").click()
        expect(page.locator("#controls-error")).to_have_text("the bin is busy: try again in a moment")
    standing.close()


def test_a_locked_page_asks_for_its_token_and_remembers_who_had_it(standing: StandingBin, page: Page) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    with standing.served(PageSettings(port=0, token=TOKEN)) as visitor:
        page.goto(visitor.address)
        expect(page.locator("#token")).to_be_focused()
        page.keyboard.type("not the right token")
        page.keyboard.press("Enter")
        expect(page.locator("#login-error")).to_have_text("this is not the page's token")
        page.locator("#token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("#decisions li")).to_have_count(1)
        page.reload()
        expect(page.locator("#decisions li")).to_have_count(1)
        assert page.evaluate("() => document.cookie") == "", "no script can read it"


def test_a_link_may_carry_the_token_where_no_server_sees_it(standing: StandingBin, page: Page) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    with standing.served(PageSettings(port=0, token=TOKEN)) as visitor:
        page.goto(f"{visitor.address}#token={TOKEN}")
        expect(page.locator("#decisions li")).to_have_count(1)
        assert TOKEN not in page.url


def test_a_link_with_the_token_opens_the_page_that_was_asking_for_it(standing: StandingBin, page: Page) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    with standing.served(PageSettings(port=0, token=TOKEN)) as visitor:
        page.goto(visitor.address)
        expect(page.locator("#token")).to_be_focused()
        page.goto(f"{visitor.address}#token={TOKEN}")  # into the same window: the browser loads nothing anew
        expect(page.locator("#decisions li")).to_have_count(1)
        assert TOKEN not in page.url


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_part_is_reached_by_keys_alone_and_none_is_wider_than_the_screen(
    standing: StandingBin, visitor: Visitor, page: Page, size: dict[str, int]
) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    see_and_decide(standing, Outcome.UNKNOWN, Outcome.ACCEPTED)
    for position, part in enumerate(("live", "review", "try")):
        page.goto("about:blank")
        page.goto(visitor.address)
        expect(page.locator("#live")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        for _ in range(position + 1):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(f"#{part}")).to_be_visible()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= size["width"]


def test_a_class_that_is_a_number_is_told_with_its_own_score(page: Page) -> None:
    standing = StandingBin(labels=("2", "10"))
    see_and_decide(standing, Outcome.ACCEPTED)
    with standing.served() as visitor:
        page.goto(visitor.address)
        expect(page.locator("#live-tag")).to_have_text(re.compile("^10 80"))
    standing.close()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_names_as_long_as_they_may_be_make_nothing_wider_than_the_screen(page: Page, size: dict[str, int]) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    standing = StandingBin(labels=("glass", 200 * "m"))
    see_and_decide(standing, Outcome.UNKNOWN, Outcome.ACCEPTED)
    with standing.served() as visitor:
        for part, shown in (("live", "#decisions li"), ("review", "#review-guess")):
            page.goto("about:blank")
            page.goto(f"{visitor.address}#{part}")
            expect(page.locator(shown).first).to_contain_text(200 * "m")
            assert page.evaluate("() => document.documentElement.scrollWidth") <= size["width"]
        page.goto(f"{visitor.address}#live")
        page.locator("#decisions button").first.click()
        expect(page.locator("#detail")).to_be_visible()
        assert page.locator("#detail").evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    standing.close()


def test_a_class_written_from_right_to_left_leaves_the_words_around_it_in_order(page: Page) -> None:
    standing = StandingBin(labels=("glass", "זכוכית"))
    see_and_decide(standing, Outcome.UNKNOWN)
    with standing.served() as visitor:
        page.goto(f"{visitor.address}#review")
        expect(page.locator("#review-guess")).to_contain_text("93")
        label, share = page.locator("#review-guess").evaluate(
            "guess => [...guess.childNodes].slice(1).map((node) => {"
            " const range = document.createRange(); range.selectNodeContents(node);"
            " return range.getBoundingClientRect().left; })"
        )
        assert label < share
    standing.close()


def test_when_the_bin_is_gone_the_page_says_so(standing: StandingBin, page: Page) -> None:
    with standing.served() as visitor:
        page.goto(visitor.address)
        expect(page.locator("#no-decisions")).to_be_visible()
    expect(page.locator("#problems")).to_contain_text("The bin does not answer")
    page.get_by_role("link", name="Review").click()
    expect(page.locator("#review-empty")).to_contain_text("The items cannot be shown")
    expect(page.locator("#export")).to_be_hidden()


def test_the_counts_of_forty_bins_leave_room_for_the_decisions(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    counts = {f"shelf {number}": number for number in range(40)}
    page.route("**/api/now*", lambda route: route.fulfill(json=visitor.ask("/api/now").told | {"counts": counts}))
    see_and_decide(standing, Outcome.ACCEPTED)
    page.goto(visitor.address)
    expect(page.locator(".count")).to_have_count(40)
    box = page.locator("#counts").bounding_box()
    assert box is not None
    assert box["height"] < PHONE["height"] / 3
    page.locator(".count").last.scroll_into_view_if_needed()
    expect(page.locator(".count").last).to_be_in_viewport()


def test_what_is_said_elsewhere_shows_while_one_watches(standing: StandingBin, visitor: Visitor, page: Page) -> None:
    see_and_decide(standing, Outcome.ACCEPTED, Outcome.ACCEPTED)
    page.goto(visitor.address)
    expect(page.locator("#decisions li")).to_have_count(2)
    standing.journal.correct("1", "glass")
    expect(page.locator("#decisions li").last).to_contain_text("metalglass")
    standing.journal.correct("1", None)
    expect(page.locator("#decisions li").last).not_to_contain_text("glass")
    expect(page.locator("#decisions s")).to_have_text("metal")
    page.locator("#decisions button").last.click()
    expect(page.locator("#detail-title")).to_be_visible()
    standing.journal.correct("1", "glass")
    expect(page.locator("#detail-labels [aria-pressed=true]")).to_contain_text("glass")


def test_more_decisions_than_one_answer_tells_leave_no_gap_in_the_list(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, *[Outcome.ACCEPTED] * 3)
    page.goto(visitor.address)
    expect(page.locator("#decisions li")).to_have_count(3)
    with page.expect_event("requestfailed"):  # it asks for one thing at a time: no earlier answer is on its way then
        page.route("**/api/now*", lambda route: route.abort())  # as while the telephone was in a pocket
    see_and_decide(standing, *[Outcome.ACCEPTED] * 40)
    page.unroute("**/api/now*")
    expect(page.locator("#decisions li")).to_have_count(30)
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#decisions li")).to_have_count(43)
    numbers = page.locator("#decisions button").evaluate_all("all => all.map((one) => Number(one.dataset.seq))")
    assert numbers == list(range(43, 0, -1))


def test_older_decisions_come_once_however_often_they_are_asked_for_and_after_a_break_of_the_network(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, *[Outcome.ACCEPTED] * 40)
    page.goto(visitor.address)
    older = page.get_by_role("button", name="Older")
    page.route("**/api/decisions*", lambda route: route.abort())
    older.click()
    expect(older).to_contain_text("The bin does not answer")
    page.unroute("**/api/decisions*")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/decisions" in request.url else None)
    older.evaluate("button => { button.click(); button.click(); }")
    expect(page.locator("#decisions li")).to_have_count(40)
    assert len(asked) == 1


def test_who_asks_for_older_decisions_by_key_stays_on_the_button(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, *[Outcome.ACCEPTED] * 70)
    page.goto(visitor.address)
    older = page.get_by_role("button", name="Older")
    expect(older).to_be_visible()
    older.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#decisions li")).to_have_count(60)
    expect(older).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#decisions li")).to_have_count(70)


def test_what_was_said_elsewhere_shows_when_a_decision_is_opened_and_on_the_way_back_to_live(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    page.goto(visitor.address)
    expect(page.locator("#decisions li").first).to_contain_text("metal→")
    standing.journal.correct("last", "glass")
    page.locator("#decisions button").first.click()
    expect(page.locator("#detail-labels [aria-pressed=true]")).to_contain_text("glass")
    expect(page.locator("#decisions li").first).to_contain_text("metalglass")
    page.keyboard.press("Escape")
    standing.journal.correct("last", None)
    for part in ("Review", "Live"):
        page.get_by_role("link", name=part).click()
    expect(page.locator("#decisions li")).to_have_count(1)
    expect(page.locator("#decisions s")).to_have_text("metal")
    expect(page.locator("#decisions li").first).not_to_contain_text("glass")


def test_a_correction_that_does_not_arrive_is_told(standing: StandingBin, visitor: Visitor, page: Page) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    page.route("**/api/review/label", lambda route: route.abort())
    page.goto(visitor.address)
    page.locator("#decisions button").first.click()
    page.keyboard.press("1")
    expect(page.locator("#detail-error")).to_contain_text("The bin does not answer")


def test_a_label_that_nobody_answers_to_is_told_as_not_arrived(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, Outcome.UNKNOWN)
    page.clock.install()
    page.route("**/api/review/label", lambda _: None)  # a network that has died refuses nothing
    page.goto(f"{visitor.address}#review")
    expect(page.locator("#review-guess")).to_contain_text("metal")
    with page.expect_request("**/api/review/label"):
        page.keyboard.press("1")
    page.clock.run_for(25_000)
    expect(page.locator("#review-reason")).to_contain_text("The bin does not answer")
    page.unroute_all(behavior="ignoreErrors")


def test_a_bin_that_is_silent_is_not_said_to_be_at_work(standing: StandingBin, visitor: Visitor, page: Page) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    page.clock.install()
    keep_seeing(standing, page)
    page.goto(visitor.address)
    expect(page.locator("#state")).to_have_text("at work")
    for path in ("now", "live.jpg"):
        page.route(f"**/api/{path}*", lambda _: None)  # as when its plug is pulled: nobody refuses
    page.clock.run_for(1500)
    page.clock.run_for(20_000)
    expect(page.locator("#state")).to_have_text("no answer")
    expect(page.locator("#problems")).to_contain_text("The bin does not answer")
    expect(page.locator("#live-caption")).to_contain_text("The bin does not answer")
    expect(page.locator("#live-tag")).to_be_hidden()
    expect(page.locator("#live-scores")).to_be_hidden()
    page.unroute_all(behavior="ignoreErrors")
    keep_seeing(standing, page)
    page.clock.run_for(10_000)  # what was asked meanwhile is given up, and asked anew
    expect(page.locator("#live-tag")).to_be_visible()
    expect(page.locator("#problems")).to_be_hidden()


def test_a_page_that_is_opened_too_early_waits_for_its_bin(visitor: Visitor, page: Page) -> None:
    page.clock.install()
    page.route("**/api/about", lambda route: route.fulfill(status=503, json={"error": "the journal is busy"}))
    page.goto(visitor.address)
    expect(page.locator("#problems")).to_have_text("the journal is busy")
    page.unroute("**/api/about")
    page.clock.run_for(3000)
    expect(page.locator("#name")).to_have_text("test bin")
    expect(page.locator("#problems")).to_be_hidden()


def test_a_page_that_stayed_open_follows_its_bin_to_another_model_and_journal(
    standing: StandingBin, page: Page
) -> None:
    see_and_decide(standing, *[Outcome.ACCEPTED] * 3)
    port = ClaimedPort()
    with standing.served(PageSettings(port=port.number)) as visitor:
        page.goto(visitor.address)
        expect(page.locator("#decisions li")).to_have_count(3)
    other = StandingBin(labels=("glass", "battery"))
    see_and_decide(other, Outcome.ACCEPTED)
    with port, other.served(PageSettings(port=port.number)):
        expect(page.locator("#decisions li")).to_have_count(1)
        page.locator("#decisions button").first.click()
        expect(page.locator("#detail-labels")).to_contain_text("battery")
    other.close()


def test_a_computer_that_others_use_forgets_the_token(standing: StandingBin, page: Page) -> None:
    with standing.served(PageSettings(port=0, token=TOKEN)) as visitor:
        page.goto(f"{visitor.address}#token={TOKEN}")
        page.locator("#health summary").click()
        page.get_by_role("button", name="Forget the token").click()
        expect(page.locator("#token")).to_be_focused()
        page.reload()
        expect(page.locator("#token")).to_be_focused()


def test_an_old_link_is_told_that_its_token_is_wrong(standing: StandingBin, page: Page) -> None:
    with standing.served(PageSettings(port=0, token=TOKEN)) as visitor:
        page.goto(f"{visitor.address}#token={TOKEN[::-1]}")
        expect(page.locator("#login-error")).to_have_text("this is not the page's token")


def test_on_a_small_phone_no_word_is_broken_and_no_picture_squeezed(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    standing = StandingBin(AttentiveTeacher(), labels=("glass", "cardboard"))
    for seed in range(8):
        standing.decide(Outcome.UNKNOWN, seed)
    with standing.served() as visitor:
        page.goto(f"{visitor.address}#review")
        expect(page.locator("#review-strip img")).to_have_count(8)
        assert {image.bounding_box()["width"] for image in page.locator("#review-strip img").all()} == {60}  # type: ignore[index]
        for button in (page.locator("#review-new button"), *page.locator("#review .chips button").all()):
            assert button.bounding_box()["height"] == 44, button.text_content()  # type: ignore[index]
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 320
        page.get_by_role("link", name="Teach").click()
        expect(page.locator("#teach-go")).to_be_visible()
        assert page.locator("#teach-go").bounding_box()["height"] == 44  # type: ignore[index]
    standing.close()


def test_in_colors_of_the_visitors_own_it_still_shows_which_part_is_open_and_how_long_each_bar_is(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, Outcome.ACCEPTED)
    page.emulate_media(forced_colors="active")
    keep_seeing(standing, page)
    page.goto(visitor.address)
    ground = "element => getComputedStyle(element).backgroundColor"
    expect(page.locator("#live-scores .fill").first).to_be_visible()
    fill, track = (page.locator(f"#live-scores .{part}").first.evaluate(ground) for part in ("fill", "track"))
    here, there = (page.get_by_role("link", name=part).evaluate(ground) for part in ("Live", "Review"))
    assert fill != track
    assert here != there


def test_on_paper_the_bars_keep_their_color_and_nothing_lies_over_the_decisions(
    standing: StandingBin, visitor: Visitor, page: Page
) -> None:
    see_and_decide(standing, *[Outcome.ACCEPTED] * 30)
    page.emulate_media(color_scheme="dark")
    page.goto(visitor.address)
    expect(page.locator("#decisions li")).to_have_count(30)
    page.emulate_media(color_scheme="dark", media="print")
    page.set_viewport_size({"width": 720, "height": 1000})  # a sheet of paper
    styles = "element => { const style = getComputedStyle(element); return [style.printColorAdjust, style.color]; }"
    assert page.locator("#live-scores .fill").first.evaluate(styles)[0] == "exact"
    assert page.locator("#decisions .what").first.evaluate(styles)[1] == "rgb(32, 34, 29)", "dark on white"
    expect(page.locator("#tabs")).to_be_hidden()
    last, health = page.locator("#decisions li").last.bounding_box(), page.locator("#health").bounding_box()
    assert last is not None
    assert health is not None
    assert last["y"] + last["height"] <= health["y"]


@pytest.mark.parametrize("size", [(844, 390), (640, 400)], ids=["a phone that lies", "twice the size"])
def test_on_a_low_screen_what_is_pressed_is_seen_together_with_the_picture(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    standing = StandingBin(AttentiveTeacher())
    see_and_decide(standing, Outcome.UNKNOWN)
    with standing.served() as visitor:
        for part, picture, button in (
            ("teach", "#teach-image", "#look"),
            ("review", "#review-picture img", "#review-labels button >> nth=0"),
        ):
            page.goto("about:blank")
            page.goto(f"{visitor.address}#{part}")
            expect(page.locator(button)).to_be_in_viewport(ratio=1)
            expect(page.locator(picture)).to_be_in_viewport(ratio=0.7)  # one of four to three is higher than the rest
        assert page.evaluate("() => document.documentElement.scrollWidth") <= size[0]
    standing.close()


def test_no_notch_lies_over_the_picture_when_a_phone_lies(visitor: Visitor, page: Page) -> None:
    page.set_viewport_size({"width": 844, "height": 390})
    insets = {"left": 47, "right": 47, "bottom": 21}
    page.context.new_cdp_session(page).send("Emulation.setSafeAreaInsetsOverride", {"insets": insets})
    page.goto(visitor.address)
    expect(page.locator("#tabs")).to_be_visible()
    picture = page.locator("#live .picture").bounding_box()
    assert picture is not None
    assert picture["x"] >= insets["left"]


def test_at_four_times_the_size_nothing_stays_over_the_picture(visitor: Visitor, page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 180})
    page.goto(visitor.address)
    expect(page.locator("#tabs")).to_be_visible()
    tabs, main = page.locator("#tabs").bounding_box(), page.locator("#main").bounding_box()
    assert tabs is not None
    assert main is not None
    assert tabs["y"] + tabs["height"] <= main["y"]
