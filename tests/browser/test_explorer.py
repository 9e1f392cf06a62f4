"""`ablation explore` in a browser: numbers, response times, keyboard control, layout, and no code execution by visitors."""

import json
import statistics
import sys
import urllib.error
import urllib.request

import pytest

import ablation as ab
from ablation.show.explorer.panels import short_title
from ablation.show.explorer.state import RUNGS, SWITCHES

NUMBERS_MS, PICTURES_MS = 100, 500  # expected response times on an idle machine
WIDTHS = (1280, 768)  # px
TOLERANCE_FACTOR = 5  # on the response times, for a busy machine

OBSERVE = """() => {
  const page = document.querySelector('.ax')
  const numbers = () => document.querySelector('.ax-numbers').textContent
  window.press = (element) => new Promise((done) => {
    const before = numbers(), started = performance.now()
    let changed = null, last = null
    const watch = new MutationObserver(() => {
      last = performance.now() - started
      if (changed === null && numbers() !== before) changed = last
    })
    watch.observe(page, {childList: true, subtree: true, characterData: true, attributes: true})
    const wait = setInterval(() => {
      const now = performance.now() - started
      if ((last !== null && now - last > 300) || now > 15000) {
        clearInterval(wait); watch.disconnect(); done({numbers: changed, all: last})
      }
    }, 20)
    element.click()
  })
}"""

# Finds elements that overlap, extend beyond the page or scroll sideways, and texts that do not fit their element.
MISPLACED = """() => {
  const elements = [...document.querySelectorAll('.ax :is(.widget-checkbox, .ax-fields > *, button, .ax-card, svg.ax-svg, table, '
    + 'h2, h3, p, [role=alert])')].filter((e) => e.getClientRects().length && e.getBoundingClientRect().height > 1)
  const name = (e) => (e.getAttribute('aria-label') || e.textContent || e.className).trim().slice(0, 50)
  const found = []
  elements.forEach((a, i) => {
    const one = a.getBoundingClientRect()
    if (one.left < 0 || one.right > innerWidth + 0.5) found.push(`${name(a)} extends beyond the page`)
    if (a.matches('button, .ax-card, label, p') && a.scrollWidth > a.clientWidth + 1) found.push(`${name(a)} is cut off`)
    elements.slice(i + 1).forEach((b) => {
      const two = b.getBoundingClientRect()
      const across = Math.min(one.right, two.right) - Math.max(one.left, two.left)
      const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top)
      if (across > 1 && down > 1 && !a.contains(b) && !b.contains(a)) found.push(`${name(a)} overlaps ${name(b)}`)
    })
  })
  document.querySelectorAll('.ax svg.ax-svg text').forEach((e) => {
    const word = e.getBoundingClientRect(), picture = e.closest('svg').getBoundingClientRect()
    if (word.left < picture.left - 1 || word.right > picture.right + 1 || word.bottom > picture.bottom + 1)
      found.push(`${name(e)} extends beyond its image`)
  })
  const scrolls = [document.documentElement, ...document.querySelectorAll('body, body *')].filter(
    (e) => e.scrollWidth > e.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX))
  if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways')
  return found.concat(scrolls.map((e) => `${e.className} scrolls sideways`))
}"""


@pytest.fixture(scope="module")
def address(serve):
    command = [sys.executable, "-m", "ablation", "explore", "--no-browser", "--port", "{port}"]
    return serve(command, path="/voila/static/voila.js", printed=True)  # a request for "/" would start a kernel


@pytest.fixture
def explorer(page, address):
    """Open the page, which starts at ResNet-50, and wait until it is ready."""
    page.goto(f"{address}/")
    page.locator(".ax-numbers").wait_for(timeout=90_000)
    page.evaluate(OBSERVE)
    return page


def press(locator):
    """Click, wait until the page is idle, and return the ms to the first change of the numbers and to the last change at all."""
    return locator.evaluate("(element) => window.press(element)")


def numbers(page):
    return page.locator(".ax-params .ax-exact").inner_text(), page.locator(".ax-macs .ax-exact").inner_text()


def expected(architecture, size=224):
    cost = ab.cost(architecture, size)
    return f"{cost.params:,}", f"{cost.macs:,}"


def test_every_switch_gives_the_exact_cost_within_the_time_limits(explorer):
    architecture, times = ab.RESNET50, []
    assert numbers(explorer) == expected(architecture)
    for switch in (*SWITCHES, *SWITCHES):  # to ConvNeXt-T and back
        flipped = switch.flip(architecture)
        elapsed = press(explorer.get_by_label(switch.label, exact=True))
        assert numbers(explorer) == expected(flipped), switch.label
        assert explorer.locator(".ax-field b").inner_text() == f"{ab.cost(flipped).receptive_field:,} px"
        assert explorer.get_by_label(switch.label, exact=True).is_checked() == switch.is_on(flipped)
        if expected(flipped) != expected(architecture):
            times.append(elapsed)
        architecture = flipped
    assert architecture == ab.RESNET50 and len(times) > 12
    first = statistics.median(elapsed["numbers"] for elapsed in times)
    last = statistics.median(elapsed["all"] for elapsed in times)
    print(f"\nnumbers after {first:.0f} ms, pictures after {last:.0f} ms (medians of {len(times)} switches)")
    print("each:", [(round(elapsed["numbers"]), round(elapsed["all"])) for elapsed in times])
    assert first < TOLERANCE_FACTOR * NUMBERS_MS and last < TOLERANCE_FACTOR * PICTURES_MS


def test_rungs_errors_and_demand_buttons(explorer):
    rung = RUNGS[-1]
    press(explorer.get_by_label(SWITCHES[2].label, exact=True))
    press(rung_button(explorer, rung))
    assert numbers(explorer) == expected(rung.architecture)
    assert "you are here" in rung_button(explorer, rung).inner_text()
    assert explorer.get_by_text("you are here").count() == 1
    assert (
        f"{rung.published.accuracy:.2f} ± {rung.published.std:.2f} %" in explorer.locator(".ax-published").inner_text()
    )
    press(explorer.get_by_role("button", name="Take back ReLU to GELU"))
    assert numbers(explorer) == expected(rung.architecture.replace(activation="relu"))
    enter(explorer, "image px", 20)
    alert = explorer.get_by_role("alert").filter(has_text="not possible")
    assert "the smallest that works is 32 px" in alert.inner_text()
    assert explorer.get_by_label("image px").input_value() == "224"
    assert numbers(explorer) == expected(rung.architecture.replace(activation="relu"))
    enter(explorer, "image px", 64)
    enter(explorer, "kernel size", 5)
    enter(explorer, "stage 3", 2)
    assert alert.count() == 0
    small = rung.architecture.replace(activation="relu", kernel_size=5, depths=(3, 3, 2, 3))
    assert numbers(explorer) == expected(small, 64)
    explorer.get_by_role("button", name="Run one forward pass").click()
    explorer.get_by_text("(1, 1000)").wait_for(timeout=90_000)
    explorer.get_by_role("button", name="Measure the effective receptive field").click()
    explorer.get_by_role("img", name="Effective receptive field").wait_for(timeout=90_000)
    assert "Traceback" not in explorer.content()
    for width in WIDTHS:
        assert misplaced(explorer, width) == []


def rung_button(page, rung):
    return (
        page.locator("button", has_text=f"{rung.published.accuracy:.2f} %")
        .filter(has_text=short_title(rung.title))
        .first
    )


def enter(page, label, value):
    box = page.get_by_label(label, exact=True)
    box.fill(str(value))
    box.press("Enter")
    page.wait_for_timeout(800)


def test_all_controls_work_with_the_keyboard(explorer):
    """Tab reaches all controls from top to bottom and shows the focus; Space toggles a switch, Enter selects a rung."""
    visited = []
    for _ in range(80):
        explorer.keyboard.press("Tab")
        focus = explorer.evaluate(
            """() => {const e = document.activeElement, style = getComputedStyle(e)
            return [(e.labels?.[0] ?? e).textContent.trim(), style.outlineStyle, parseFloat(style.outlineWidth)]}"""
        )
        visited.append(focus[0])
        if focus[0] == SWITCHES[1].label:
            explorer.keyboard.press("Space")
            explorer.get_by_text(expected(ab.RESNET50.replace(stem="patchify"))[1]).wait_for()
        if focus[0].startswith("fewer norms\n"):
            explorer.keyboard.press("Enter")
            explorer.get_by_text("This design is the rung fewer norms").wait_for()
        if focus[0] == "Run one forward pass":
            break
        assert focus[1] == "solid" and focus[2] >= 2, f"{focus[0]!r} does not show its focus"
    fewer_norms = next(rung for rung in RUNGS if rung.name == "fewer_norms")
    assert numbers(explorer) == expected(fewer_norms.architecture)
    assert visited[:12] == [switch.label for switch in SWITCHES]
    fields = ["kernel size", "image px", "width", "stem stride", *(f"stage {i}" for i in range(1, 5))]
    assert visited[12:20] == fields
    assert len(visited) == 12 + len(fields) + len(RUNGS) + 12 + 2


def misplaced(page, width):
    """Return the layout problems at a window of this width, after the page has had time to settle."""
    page.set_viewport_size({"width": width, "height": 900})
    for _ in range(20):
        page.wait_for_timeout(150)
        if not (found := page.evaluate(MISPLACED)):
            break
    return found


def test_no_element_overlaps_or_extends_beyond_the_page(explorer):
    for width in WIDTHS:
        assert misplaced(explorer, width) == []
    press(rung_button(explorer, RUNGS[-1]))
    enter(explorer, "width", 100_003)
    enter(explorer, "kernel size", 51)
    for width in WIDTHS:
        assert misplaced(explorer, width) == []
    enter(explorer, "image px", 3)
    assert "too small" in explorer.get_by_role("alert").first.inner_text()
    for width in WIDTHS:
        assert misplaced(explorer, width) == []


SEND_CODE = """async ([kernel, code]) => {
  const socket = new WebSocket(`ws://${location.host}${location.pathname}api/kernels/${kernel}/channels`)
  await new Promise((open) => { socket.onopen = open })
  const replies = []
  socket.onmessage = (event) => { if (typeof event.data === 'string') replies.push(JSON.parse(event.data).msg_type) }
  const send = (type, content) => socket.send(JSON.stringify({channel: 'shell', content, metadata: {}, parent_header: {},
    header: {msg_id: type, username: '', session: 'visitor', msg_type: type, version: '5.3', date: new Date().toISOString()}}))
  send('execute_request', {code, silent: false, store_history: false, user_expressions: {}, allow_stdin: false})
  send('kernel_info_request', {})
  const deadline = performance.now() + 10000
  while (!replies.includes('kernel_info_reply') && performance.now() < deadline) await new Promise((on) => setTimeout(on, 50))
  await new Promise((on) => setTimeout(on, 500))
  socket.close()
  return replies
}"""


def test_visitors_cannot_run_code_or_read_files(explorer, address, tmp_path):
    kernel = json.loads(explorer.locator("#jupyter-config-data").text_content())["kernelId"]
    replies = explorer.evaluate(SEND_CODE, [kernel, f"open({str(tmp_path / 'executed')!r}, 'w')"])
    assert "kernel_info_reply" in replies, "the kernel replies to allowed requests"
    assert "execute_reply" not in replies and not (tmp_path / "executed").exists()
    assert "Explorer()" not in explorer.content()
    for path in ("/voila/files/explorer.ipynb", "/api/contents", "/terminals", "/voila/tree", "/api/kernels"):
        assert status(address + path) >= 400, path
    assert status(f"{address}/", Host="elsewhere.example") == 403


def test_other_pages_cannot_start_kernels(explorer, address):
    """Requests without the token, and those that a browser marks as another page's, find nothing and start nothing."""
    kernel = json.loads(explorer.locator("#jupyter-config-data").text_content())["kernelId"]
    root = address.rpartition("/")[0]
    assert [status(f"{root}{path}") for path in ("/", "/voila/static/voila.js", f"/api/kernels/{kernel}")] == [404] * 3
    for headers in ({"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert status(f"{address}/", **headers) == 403, headers
        assert status(f"{address}/api/kernels/{kernel}", **headers) == 403, headers
    assert status(f"{address}/api/kernels/{kernel}") == 200, "its kernel runs still"


def test_a_new_page_replaces_the_kernel_of_the_one_before(explorer, address):
    kernel = json.loads(explorer.locator("#jupyter-config-data").text_content())["kernelId"]
    assert status(f"{address}/") == 200
    assert status(f"{address}/api/kernels/{kernel}") == 404


def status(address, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
