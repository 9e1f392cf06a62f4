"""`ablation explore`: invalid input is reported, and the server is restricted to one page on this machine."""

import os
import signal
import socket

import nbformat
import pytest

from ablation.commands import explore as explorer
from ablation.commands import explore_page
from tests.browser.servers import free_port
from tests.commands.running import ablation


@pytest.fixture
def occupied_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_an_occupied_port_is_reported(occupied_port, capsys):
    code, _, error = ablation("explore", "--no-browser", "--port", occupied_port, capsys=capsys)
    assert code == 2 and len(error.splitlines()) < 4
    assert f"port {occupied_port} is not available (Address already in use)" in error


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_an_invalid_port_is_reported(port, capsys):
    code, _, error = ablation("explore", "--port", port, capsys=capsys)
    assert code == 2 and f"port {port} must lie between 1 and 65535" in error


def test_without_voila_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setattr(explorer, "find_spec", lambda name: None if name == "voila" else object())
    code, _, error = ablation("explore", capsys=capsys)
    assert code == 2 and "pip install 'convnext-ablation[course]'" in error


def test_the_page_is_served_locally_and_its_files_are_removed(monkeypatch, capsys):
    calls = []
    monkeypatch.setenv("JUPYTER_PATH", "existing/path")

    class Server:
        def start(self):
            calls.append(os.environ["JUPYTER_PATH"].split(os.pathsep))

    monkeypatch.setattr(
        explorer, "_make_server", lambda notebook, port, browser, token: calls.extend([notebook, token]) or Server()
    )
    port = free_port()
    explorer.explore(port, browser=False)
    notebook, token, (added, existing) = calls
    assert f"http://127.0.0.1:{port}/{token}/ " in capsys.readouterr().out and len(token) >= 32
    assert existing == "existing/path" and added.startswith(str(notebook.parents[1])) and not notebook.exists()


def test_the_page_is_one_notebook_of_one_cell(tmp_path):
    notebook = nbformat.read(explore_page.write_page(tmp_path), as_version=4)
    nbformat.validate(notebook)
    (cell,) = notebook.cells
    compile(cell.source, "cell", "exec")
    assert [file.name for file in (tmp_path / "page").iterdir()] == ["explorer.ipynb"]


def test_the_server_is_bound_to_loopback_and_ignores_user_settings(tmp_path, monkeypatch):
    from voila.app import Voila

    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voila.json").write_text('{"Voila": {"ip": "0.0.0.0"}, "VoilaConfiguration": {"strip_sources": false}}')
    before = signal.getsignal(signal.SIGTERM)
    try:
        app = explorer._make_server(explore_page.write_page(tmp_path), 8899, False, "secret")
        assert app.base_url == "/secret/"
        assert (app.ip, app.port, app.port_retries, app.open_browser) == ("127.0.0.1", 8899, 0, False)
        settings = app.voila_configuration
        assert settings.strip_sources and not settings.show_tracebacks
        assert settings.file_allowlist == [] and settings.allow_template_override == "NO"
        assert app.tornado_settings["allow_remote_access"] is False
        assert "connect-src 'self'" in app.tornado_settings["headers"]["Content-Security-Policy"]
    finally:
        Voila.clear_instance()
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"Origin": "http://127.0.0.1:8866"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Origin": "http://127.0.0.1:8867"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": ""}, True),
    ],
)
def test_requests_of_other_pages_are_recognised(headers, foreign):
    from ablation.commands.guarded_server import is_foreign

    assert is_foreign(headers, "127.0.0.1:8866") is foreign


def test_every_handler_is_guarded_and_idle_kernels_end_within_a_minute():
    from voila.app import Voila

    from ablation.commands.guarded_server import GuardedVoila, _Guard

    handlers = [("/one", Voila), ("/two", dict, {"with": "arguments"})]
    guarded = [GuardedVoila._guarded(*handler) for handler in handlers]
    assert all(issubclass(handler, _Guard) for _, handler, *_ in guarded) and guarded[1][2] == {"with": "arguments"}
    assert explorer._IDLE_SECONDS + explorer._CHECK_SECONDS < 60
