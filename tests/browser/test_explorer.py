"""`ablation explore` in a browser: numbers, response times, keyboard control, layout, and no code execution by visitors."""

import statistics
from itertools import pairwise

import ablation as ab
from ablation.show.explorer.chapters import CHAPTERS
from ablation.show.explorer.road import stop_label
from ablation.show.explorer.state import RUNGS, SWITCHES

NUMBERS_MS, PICTURES_MS = 100, 500  # expected response times on an idle machine
WIDTHS = (1280, 768, 390)  # px
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
  document.querySelector('.ax').scrollIntoView()  // the line of numbers that stays in view covers nothing at the top
  const controls = '.widget-checkbox, .ax-effect, .ax-fields > *, .ax-actions button, .ax-demand button'
  const elements = [...document.querySelectorAll(`.ax :is(${controls}, .ax-card, svg.ax-svg, table, h1, h2, h3, p, pre)`)]
    .filter((e) => e.getClientRects().length && e.getBoundingClientRect().height > 1)
    .filter((e) => !e.closest('.ax-alert, .ax-road, details:not([open])'))
  const name = (e) => (e.getAttribute('aria-label') || e.textContent || e.className).trim().slice(0, 50)
  const found = []
  elements.forEach((a, i) => {
    const one = a.getBoundingClientRect()
    if (one.left < 0 || one.right > innerWidth + 0.5) found.push(`${name(a)} extends beyond the page`)
    if (a.matches('button, .ax-card, label, p, pre') && a.scrollWidth > a.clientWidth + 1) found.push(`${name(a)} is cut off`)
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


def press(locator):
    """Click, wait until the page is idle, and return the ms to the first change of the numbers and to the last change at all."""
    locator.page.evaluate(OBSERVE)
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


def test_the_story_is_walked_from_start_to_arrival(explorer):
    """The buttons lead along the road, each card tells the change, and nothing on the page moves."""
    story = explorer.locator(".ax-story")
    kept = [i for i, rung in enumerate(RUNGS) if rung.adopted]
    below = explorer.locator(".ax-network")
    place = below.bounding_box()
    explorer.evaluate("window.region = document.querySelector('.ax-live')")
    for before, index in pairwise(kept):
        press(explorer.get_by_role("button", name=f"Take the next step: {CHAPTERS[index].short}", exact=True))
        assert numbers(explorer) == expected(RUNGS[index].architecture)
        assert (
            CHAPTERS[index].title in story.inner_text() and f"section {CHAPTERS[index].section}" in story.inner_text()
        )
        old, new = (RUNGS[i].published.accuracy for i in (before, index))
        assert f"{old:.2f} → {new:.2f} %" in explorer.locator(".ax-published .ax-change").inner_text()
        assert below.bounding_box() == place, f"the drawings moved at {RUNGS[index].name}"
    assert "You have built ConvNeXt-T: 81.97 %, +3.15 points for +0.37 G MACs" in story.inner_text()
    assert explorer.evaluate("window.region.isConnected && window.region.getAttribute('role')") == "status"
    press(explorer.get_by_role("button", name="Start at ResNet-50"))
    assert numbers(explorer) == expected(ab.RESNET50)
    press(explorer.get_by_role("button", name="Jump to ConvNeXt-T"))
    assert numbers(explorer) == expected(RUNGS[-1].architecture)


def test_errors_and_demand_buttons(explorer):
    rung = RUNGS[-1]
    press(explorer.get_by_label(SWITCHES[2].label, exact=True))
    assert "Off the road" in explorer.locator(".ax-story").inner_text()
    press(stop_button(explorer, -1))
    assert numbers(explorer) == expected(rung.architecture)
    assert (
        f"{rung.published.accuracy:.2f} ± {rung.published.std:.2f} %" in explorer.locator(".ax-published").inner_text()
    )
    press(explorer.get_by_label(SWITCHES[7].label, exact=True))
    assert numbers(explorer) == expected(rung.architecture.replace(activation="relu"))
    enter(explorer, "image px", 20)
    alert = explorer.get_by_role("alert").filter(has_text="not possible")
    assert "the smallest that works is 32 px" in alert.inner_text()
    assert explorer.get_by_label("image px").input_value() == "224"
    enter(explorer, "image px", 100_000)
    assert "maps of 25,000 x 25,000" in alert.inner_text()
    assert numbers(explorer) == expected(rung.architecture.replace(activation="relu"))
    enter(explorer, "image px", 64)
    explorer.get_by_label("kernel size", exact=True).select_option("5")
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
    folds_on_a_phone(explorer)


def folds_on_a_phone(page):
    """Each group of switches is closed at first and opens by its heading; on a wide page all are open and nothing folds."""
    switch, fold = page.get_by_label(SWITCHES[0].label, exact=True), page.locator(".ax-fold summary").first
    assert not switch.is_visible() and fold.is_visible()
    fold.click()
    assert switch.is_visible() and not page.get_by_label(SWITCHES[-1].label, exact=True).is_visible()
    assert misplaced(page, 390) == []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_label(SWITCHES[-1].label, exact=True).wait_for()
    assert not fold.is_visible()


def stop_button(page, index):
    """Return the button of a stop, whether or not it is the current one."""
    name = stop_label(range(len(RUNGS))[index], here=False)
    return page.locator(".ax-keys button").filter(has_text=name)


def enter(page, label, value):
    box = page.get_by_label(label, exact=True)
    box.fill(str(value))
    box.press("Enter")
    page.wait_for_timeout(800)


def test_all_controls_work_with_the_keyboard(explorer):
    """Tab reaches all controls from top to bottom and shows the focus; Enter selects a stop, Space toggles a switch."""
    visited = []
    fewer_norms = next(rung for rung in RUNGS if rung.name == "fewer_norms")
    overlapping = fewer_norms.architecture.replace(stem="conv")
    for _ in range(80):
        explorer.keyboard.press("Tab")
        focus = explorer.evaluate(
            """() => {const e = document.activeElement, style = getComputedStyle(e)
            return [(e.labels?.[0] ?? e).textContent.trim(), style.outlineStyle, parseFloat(style.outlineWidth)]}"""
        )
        visited.append(focus[0])
        if focus[0] == SWITCHES[1].label:
            explorer.keyboard.press("Space")
            explorer.get_by_text(expected(overlapping)[1], exact=True).wait_for()
        if focus[0].startswith("fewer norms, 81.41 %"):
            explorer.keyboard.press("Enter")
            explorer.locator(".ax-story h2", has_text="Fewer norms").wait_for()
        if focus[0] == "Run one forward pass":
            break
        assert focus[1] == "solid" and focus[2] >= 2, f"{focus[0]!r} does not show its focus"
    assert numbers(explorer) == expected(overlapping)
    assert visited[1:4] == ["Start at ResNet-50", "Take the next step: stage ratio", "Jump to ConvNeXt-T"]
    assert visited[4:20] == [stop_label(i, i == 0) for i in range(len(RUNGS))]
    assert visited[20:32] == [switch.label for switch in SWITCHES]
    fields = ["kernel size", "image px", "width", "stem stride", *(f"stage {i}" for i in range(1, 5))]
    assert visited[32:40] == fields
    assert visited[40:] == ["Answer"] * 3 + ["Measure the effective receptive field", "Run one forward pass"]


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
    press(stop_button(explorer, -1))
    enter(explorer, "width", 4003)
    explorer.get_by_label("kernel size", exact=True).select_option("31")
    for width in WIDTHS:
        assert misplaced(explorer, width) == []
    enter(explorer, "image px", 3)
    assert "too small" in explorer.get_by_role("alert").first.inner_text()
    for width in WIDTHS:
        assert misplaced(explorer, width) == []
