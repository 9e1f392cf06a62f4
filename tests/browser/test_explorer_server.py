"""The server of `ablation explore`: no visitor runs code, a page that is left ends its kernel, and a lost one is said."""

import json
import time
import urllib.error
import urllib.request

import psutil

TOLD_S = 5  # within which a lost connection is said, on an idle machine
TOLERANCE_FACTOR = 5


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
    kernel = kernel_of(explorer)
    replies = explorer.evaluate(SEND_CODE, [kernel, f"open({str(tmp_path / 'executed')!r}, 'w')"])
    assert "kernel_info_reply" in replies, "the kernel replies to allowed requests"
    assert "execute_reply" not in replies and not (tmp_path / "executed").exists()
    assert "Explorer()" not in explorer.content()
    for path in ("/voila/files/explorer.ipynb", "/api/contents", "/terminals", "/voila/tree", "/api/kernels"):
        assert status(address + path) >= 400, path
    assert status(f"{address}/", Host="elsewhere.example") == 403


def test_other_pages_cannot_start_kernels_and_a_page_that_is_left_ends_its_own(explorer, address):
    """Requests without the token, and those that a browser marks as another page's, find nothing and start nothing."""
    kernel = kernel_of(explorer)
    root = address.rpartition("/")[0]
    assert [status(f"{root}{path}") for path in ("/", "/voila/static/voila.js", f"/api/kernels/{kernel}")] == [404] * 3
    for headers in ({"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert status(f"{address}/", **headers) == 403, headers
        assert status(f"{address}/api/kernels/{kernel}", **headers) == 403, headers
    assert status(f"{address}/api/kernels/{kernel}") == 200, "its kernel runs still"
    assert is_alive(address, kernel)
    explorer.goto("about:blank")
    # The process ends first; the server forgets it a moment later.
    deadline = time.monotonic() + 20
    while (found := status(f"{address}/api/kernels/{kernel}")) == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found == 404, "the page that is left ends it"
    assert not is_alive(address, kernel)


def test_a_kernel_that_has_ended_is_said_in_the_page(explorer, address):
    (kernel,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "ipykernel_launcher" in (line := " ".join(process.info["cmdline"] or [])) and kernel_of(explorer) in line
    ]
    kernel.kill()
    started = time.monotonic()
    explorer.get_by_role("alert").filter(has_text="Connection lost").wait_for(timeout=1000 * TOLERANCE_FACTOR * TOLD_S)
    print(f"\nsaid after {time.monotonic() - started:.1f} s")
    assert explorer.get_by_role("link", name="Reload this page").is_visible()


def kernel_of(page):
    """Return the id of the page's kernel, which is also part of the command line of its process."""
    return json.loads(page.locator("#jupyter-config-data").text_content())["kernelId"]


def is_alive(address, kernel):
    with urllib.request.urlopen(f"{address}/alive/{kernel}", timeout=20) as response:
        return json.load(response)["alive"]


def test_a_new_page_replaces_the_kernel_of_the_one_before(explorer, address):
    kernel = kernel_of(explorer)
    assert status(f"{address}/") == 200
    assert status(f"{address}/api/kernels/{kernel}") == 404


def status(address, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=20) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
