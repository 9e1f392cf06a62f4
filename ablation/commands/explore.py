"""`ablation explore`: the explorer as a page, served by Voila on the loopback interface of this machine.

It serves one notebook of two lines, at an address with a secret token. Visitors can only use the controls: Voila accepts no
requests to run code, strips sources, serves no other file and ignores the user's Jupyter settings. A content security policy
blocks requests to other machines, and `guarded_server` those from other pages.
"""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import AblationError
from .explore_page import TEMPLATE, write_page

ADDRESS = "127.0.0.1"
_PORTS = range(1, 65536)
_TOKEN_BYTES = 24
_EXTENSIONS = ["@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8"]  # others only log warnings
# The kernel of a page that ends without saying so, or that no browser opens, is stopped within the sum of the two.
_IDLE_SECONDS, _CHECK_SECONDS = 30, 15
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; frame-ancestors 'none'; "
    "form-action 'none'"
)


def explore(port: int, browser: bool) -> None:
    """Serve the explorer until interrupted."""
    if port not in _PORTS:
        raise AblationError(f"port {port} must lie between {_PORTS[0]} and {_PORTS[-1]}")
    if find_spec("voila") is None or find_spec("ipywidgets") is None:
        raise AblationError(
            "the explorer needs Voila and ipywidgets, which are not installed: pip install 'convnext-ablation[course]'"
        )
    _check_free(port)
    with tempfile.TemporaryDirectory(prefix="ablation-explore-") as folder:
        notebook = write_page(Path(folder))
        os.environ["JUPYTER_PATH"] = os.pathsep.join(
            [str(Path(folder) / "jupyter"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
        )
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        app = _make_server(notebook, port, browser, token)
        print(f"The explorer is at http://{ADDRESS}:{port}/{token}/  (Ctrl-C stops it)", flush=True)
        app.start()


def _check_free(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
        except OSError as error:
            raise AblationError(
                f"port {port} is not available ({error.strerror}): give another, such as --port {_other_port(port)}"
            ) from None


def _other_port(port: int) -> int:
    return port + 1 if port + 1 in _PORTS and port >= 1024 else 8867


def _make_server(notebook: Path, port: int, browser: bool, token: str) -> Any:
    """Return a Voila application for the notebook, ready to start, with all its paths below the token."""
    from traitlets.config import Config

    from .guarded_server import GuardedVoila

    settings = Config()
    settings.Voila.ip = ADDRESS
    settings.Voila.port = port
    settings.Voila.port_retries = 0
    settings.Voila.base_url = f"/{token}/"
    settings.Voila.open_browser = browser
    settings.Voila.log_level = "ERROR"
    settings.Voila.root_dir = str(notebook.parent)
    settings.Voila.tornado_settings = {
        "allow_remote_access": False,  # refuses requests with a foreign host name that resolves to this machine
        "headers": {
            "Content-Security-Policy": _POLICY,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "same-origin",  # the address is a secret
        },
        "ws_ping_timeout": 30_000,
    }
    settings.VoilaConfiguration.template = TEMPLATE
    settings.VoilaConfiguration.allow_template_override = "NO"
    settings.VoilaConfiguration.allow_theme_override = "NO"
    settings.VoilaConfiguration.strip_sources = True
    settings.VoilaConfiguration.show_tracebacks = False
    settings.VoilaConfiguration.file_allowlist = []
    settings.VoilaConfiguration.file_denylist = [".*"]
    settings.VoilaConfiguration.extension_allowlist = _EXTENSIONS
    if os.name == "posix":
        # Sockets that only this user can open; TCP ports are open to every user of the machine.
        settings.ConnectionFileMixin.transport = "ipc"
    settings.KernelManager.autorestart = False  # a new kernel would not know the page's controls
    settings.MappingKernelManager.cull_idle_timeout = _IDLE_SECONDS
    settings.MappingKernelManager.cull_interval = _CHECK_SECONDS
    app = GuardedVoila.instance(config=settings, config_file_paths=[])
    app.initialize([str(notebook)])
    return app
