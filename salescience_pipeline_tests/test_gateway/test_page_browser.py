"""The pages in a real browser, and what people need who use a keyboard, a screen reader or a dark room.

Chromium is driven by Playwright where one is installed (CHROMIUM, or on the path); screenshots of every page, light and dark,
go to ``build/screenshots``. Where there is none, the same tests read the documents themselves, and say so.
"""

from __future__ import annotations

import colorsys
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import html

from salescience_pipeline.gateway.pages import _STATIC
from salescience_pipeline.ledger import Ledger
from salescience_pipeline.ledger.job_model import Content, Outcome
from salescience_pipeline.ledger.job_rules import SourceStatus
from salescience_pipeline.settings import Settings
from salescience_pipeline_tests.test_gateway.page_world import BROWSER, LOCAL, a_job, fill_market
from salescience_pipeline_tests.test_gateway.published import publish
from salescience_pipeline_tests.test_gateway.serving import gateway

# One browser and one gateway serve all of these tests.
pytestmark = pytest.mark.xdist_group("browser")
_SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
_PAGES = {
    "overview": "/ui", "company": "/ui/companies/AAPL", "hostile": "/ui/companies/EVIL",
    "filing": "/ui/filings/0000320193-26-000001?section=1&words=customers", "search": "/ui/search?q=customers",
    "jobs": "/ui/jobs", "api": "/docs", "job": "/ui/jobs/{job_id}", "missing": "/ui/nowhere",
}  # fmt: skip
_CONTRAST = """() => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color[3] === 1) return color;
    }
    return [255, 255, 255, 1];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || node.closest("svg, .unseen, .skip, [hidden], option, script")) continue;
    const style = getComputedStyle(node);
    if (!node.getClientRects().length || style.visibility === "hidden") continue;
    const [a, b] = [light(parse(style.color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${walk.currentNode.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""
_FOCUSED = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']")];
  return { place: all.indexOf(one), outline: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
           name: one.id || one.textContent.trim().slice(0, 40) || one.tagName, tag: one.tagName };
}"""


def _chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Site:
    """A gateway with those companies and a job at work, and a browser to look at it, if there is one."""

    client: httpx.Client
    ledger: Ledger
    job_id: str
    browser: Any

    def url(self, name: str) -> str:
        """The address of one of the pages."""
        return str(self.client.base_url.join(_PAGES[name].format(job_id=self.job_id)))

    def document(self, name: str) -> html.HtmlElement:
        """The page as it is sent."""
        return html.fromstring(self.client.get(self.url(name)).text)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """That site, for all tests here."""
    settings = Settings(home=tmp_path_factory.mktemp("browser"))
    publish(settings, fill_market)
    path = _chromium()
    with gateway(settings) as client, Ledger.open(settings.ledger_url) as ledger:
        client.headers.update(BROWSER)
        if path is None:
            print("No Chromium here: the documents themselves are read.")
            yield Site(client, ledger, a_job(ledger), None)
            return
        from playwright.sync_api import sync_playwright

        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-quic"])
            yield Site(client, ledger, a_job(ledger), browser)
            browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_003_31_every_page_in_a_browser(site: Site, scheme: str) -> None:
    """Nothing is reported to the console, no policy is broken, no dialog opens, all text can be read, the shot is no blank."""
    if site.browser is None:
        for name in _PAGES:
            page = site.document(name)
            assert page.xpath("string(//h1)").strip(), name
            assert page.xpath("//meta[@name='color-scheme']/@content") == ["light dark"]
        return
    _SHOTS.mkdir(parents=True, exist_ok=True)
    context = site.browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    for name in _PAGES:
        page.goto(site.url(name))
        shot = page.screenshot(path=_SHOTS / f"{name}-{scheme}.png", full_page=True)
        assert len(shot) > 10_000, name
        assert page.evaluate(_CONTRAST) == [], (name, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than its window"
    # A browser reports the status of a page that is not there by itself.
    assert [text for text in said if "404 (Not Found)" not in text] == []
    context.close()


def test_003_31_a_narrow_window_scrolls_no_page_sideways(site: Site) -> None:
    if site.browser is None:
        assert "@media (max-width: 60rem)" in _STATIC["page.css"][1]
        for name in _PAGES:
            assert site.document(name).xpath("//meta[@name='viewport']/@content") == [
                "width=device-width, initial-scale=1"
            ]
        return
    context = site.browser.new_context(viewport={"width": 360, "height": 800}, is_mobile=True)
    page = context.new_page()
    for name in _PAGES:
        page.goto(site.url(name))
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
    context.close()


@pytest.mark.parametrize("name", ["overview", "company", "filing", "search", "job"])
def test_003_31_the_keyboard_reaches_everything_in_order(site: Site, name: str) -> None:
    if site.browser is None:
        page = site.document(name)
        assert page.xpath("//@tabindex[. > 0]") == []
        assert page.xpath("(//a | //button | //input)[1]/@href") == ["#main"]
        return
    context = site.browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(site.url(name))
    places = []
    for number in range(25):
        page.keyboard.press("Tab")
        at = page.evaluate(_FOCUSED)
        if at["tag"] == "BODY":
            break
        assert at["outline"], f"{at['name']} shows no focus"
        places.append(at["place"])
        if number == 0:
            assert at["name"] == "Skip to the content"
    assert places == sorted(set(places)), "the focus jumps"
    assert len(places) > 8
    page.goto(site.url(name))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    context.close()


def test_003_31_the_price_under_the_pointer_and_the_arrow_keys(site: Site) -> None:
    script = _STATIC["page.js"][1]
    page = site.document("company")
    (places,) = page.xpath("//@data-places")
    prices = [place.split(",")[3] for place in places.split(";")]
    assert len(prices) == 250
    if site.browser is None:
        # What the script looks for is what the page has.
        for name in re.findall(r'querySelector\("\.([a-z]+)"\)', script):
            assert page.xpath(f"//*[@class='{name}']"), name
        return
    context = site.browser.new_context(viewport={"width": 1280, "height": 900})
    shown = context.new_page()
    shown.goto(site.url("company"))
    readout, chart = shown.locator(".readout"), shown.locator("svg.chart")
    before = readout.inner_text()
    chart.focus()
    shown.keyboard.press("Home")
    assert readout.inner_text().startswith(f"{prices[0]} on")
    shown.keyboard.press("ArrowRight")
    assert readout.inner_text().startswith(f"{prices[1]} on")
    box = chart.bounding_box()
    shown.mouse.move(box["x"] + box["width"] - 5, box["y"] + 40)
    assert readout.inner_text().startswith(f"{prices[-1]} on")
    shown.mouse.move(0, 0)
    assert readout.inner_text() == before
    context.close()


def test_003_31_progress_moves_while_one_looks(site: Site) -> None:
    """With the script the page follows by itself; without it there is a link that asks again."""
    job_id = a_job(site.ledger)
    url = f"{site.client.base_url}/ui/jobs/{job_id}".replace("//ui", "/ui")
    done = [Outcome("AAPL:Yahoo", SourceStatus.SUCCESS, Content("1" * 64, "json", 12))]
    if site.browser is None:
        assert "1 of 2 sources finished" in site.client.get(url).text
        assert site.ledger.jobs.settle(LOCAL, job_id, "run-1", done) == 1
        assert "2 of 2 sources finished" in site.client.get(url).text
        return
    plain = site.browser.new_context(java_script_enabled=False).new_page()
    plain.goto(url)
    plain.get_by_role("link", name="Follow the progress").click()
    assert "asks again every five seconds" in plain.locator("main").inner_text()
    page = site.browser.new_context().new_page()
    page.goto(url)
    assert "1 of 2 sources finished" in page.locator("#live").inner_text()
    assert site.ledger.jobs.settle(LOCAL, job_id, "run-1", done) == 1
    page.get_by_text("2 of 2 sources finished").wait_for(timeout=20_000)
    assert page.locator("#live[data-live]").count() == 0
    assert page.locator(".status.complete").count() == 1


# -- what needs no browser to be seen --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", list(_PAGES))
def test_003_31_headings_names_and_roles(site: Site, name: str) -> None:
    """One first heading, no level left out, no empty name, every field labelled, every id once, every reference answered."""
    page = site.document(name)
    levels = [int(heading.tag[1]) for heading in page.xpath("//h1 | //h2 | //h3 | //h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), levels
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    for reference in page.xpath("//@aria-labelledby | //@aria-describedby | //label/@for"):
        assert set(reference.split()) <= set(ids), reference
    for link in page.xpath("//a | //button | //summary"):
        assert link.text_content().strip() or link.get("aria-label"), html.tostring(link)
    for table in page.xpath("//table"):
        assert table.xpath(".//thead//th[@scope='col']")
        (region,) = table.xpath("ancestor::*[@role='region'][1]")
        assert region.get("tabindex") == "0", "a table that is cut off must be reachable to scroll it"
    titles = [site.document(other).xpath("string(//title)") for other in _PAGES]
    assert len(set(titles)) == len(titles)
    repeated = [link.text_content() for link in page.xpath("//main//a")]
    targets: dict[str, set[str]] = {}
    for link, text in zip(page.xpath("//main//a"), repeated, strict=True):
        targets.setdefault(re.sub(r"\s+", " ", text).strip(), set()).add(link.get("href"))
    assert not {text: found for text, found in targets.items() if len(found) > 1}, "one name for several targets"


def _schemes() -> dict[str, dict[str, str]]:
    """The colours of the style sheet by name, light and dark."""
    style = _STATIC["page.css"][1]
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks)
    assert set(light) == set(dark)
    return {"light": light, "dark": dark}


def _luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_003_31_colours_have_contrast(scheme: str) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for text on each ground that it stands on, 3 for borders of fields and the focus."""
    colors = _schemes()[scheme]
    words = ["ink", "soft", "link", "good", "wait", "bad"]
    pairs = [(word, ground, 4.5) for word in words for ground in ("ground", "card", "tint")]
    pairs += [("note-ink", "note", 4.5), ("mark-ink", "mark", 4.5), ("card", "link", 4.5), ("soft", "card", 3.0)]
    for above, below, least in pairs:
        first, second = sorted((_luminance(colors[above]), _luminance(colors[below])), reverse=True)
        ratio = (first + 0.05) / (second + 0.05)
        assert ratio >= least, f"{above} on {below}: {ratio:.2f}"
    # Good and bad differ by more than their hue: each also stands beside a word or a sign.
    hues = [
        colorsys.rgb_to_hls(*(int(colors[name][at : at + 2], 16) / 255 for at in (1, 3, 5)))[0]
        for name in ("good", "bad")
    ]
    assert abs(hues[0] - hues[1]) > 0.2
