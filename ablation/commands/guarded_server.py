"""The explorer's server: Voila behind an address that only its user knows, with one kernel, closed to other pages.

A page of another origin can send requests to a port of this machine. It cannot read the answers, but each request for
Voila's page would start a kernel. Here every path starts with a secret token; requests that a browser marks as coming from
another origin are refused; and a new page replaces the kernel of the previous one.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, authenticated
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.tornado.handler import TornadoVoilaHandler


def is_foreign(headers: Any, host: str) -> bool:
    """Return whether another page caused a request; programs other than browsers send none of these headers.

    Args:
        headers: headers of the request. `Sec-Fetch-Site` is set by the browser and cannot be changed by a page.
        host: host and port of this server, as in the request.
    """
    if headers.get("Origin") not in (None, f"http://{host}"):
        return True
    # The file that opens the browser leads here from the file system, which is another site: only this navigation is allowed.
    is_navigation = (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")) == ("navigate", "document")
    return headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not is_navigation


class _Guard:
    """Checks every request before its handler does anything."""

    request: Any
    set_status: Any
    finish: Any

    async def prepare(self) -> None:
        if is_foreign(self.request.headers, self.request.host):
            self.set_status(403)
            self.finish("This request came from another page.")
            return
        prepared = super().prepare()  # type: ignore[misc]
        if inspect.isawaitable(prepared):
            await prepared


# A page that is left and the page that follows end the same kernel: one after the other, as the second would fail halfway.
_CHANGING = asyncio.Lock()


async def _end(kernels: Any, kernel: str) -> None:
    """End a kernel unless that has been done."""
    if kernel in kernels:
        await ensure_async(kernels.shutdown_kernel(kernel, now=True))


class _OnePage(TornadoVoilaHandler):
    """Voila's page, whose kernel replaces that of the page before."""

    async def get(self, path: str | None = None) -> None:
        if path:  # the notebook has no other files
            raise HTTPError(404)
        async with _CHANGING:
            for kernel in list(self.kernel_manager.list_kernel_ids()):
                await _end(self.kernel_manager, kernel)
            await super().get(path)


class _Shutdown(VoilaShutdownKernelHandler):
    """The request with which a page that is closed ends its kernel; the browser sends it without the XSRF token."""

    def check_xsrf_cookie(self) -> None:
        """Accept the request: `_Guard` refuses those of other pages, and its path holds the secret token."""

    @authenticated
    async def post(self, kernel_id: str) -> None:
        """End the kernel; a page may ask twice on its way out."""
        async with _CHANGING:
            await _end(self.kernel_manager, kernel_id)
        self.set_status(204)
        await self.finish()


class _Alive(JupyterHandler):
    """Tells a page whether its kernel runs."""

    async def get(self, kernel_id: str) -> None:
        kernels = self.kernel_manager
        alive = kernel_id in kernels and await ensure_async(kernels.get_kernel(kernel_id).is_alive())
        await self.finish({"alive": bool(alive)})


_OURS: dict[type, type] = {TornadoVoilaHandler: _OnePage, VoilaShutdownKernelHandler: _Shutdown}


class GuardedVoila(Voila):
    """Voila whose handlers check the origin of each request, with one kernel at a time."""

    def init_handlers(self) -> list[Any]:
        """Return Voila's handlers and the one that tells whether a kernel runs, each guarded."""
        alive = (url_path_join(self.server_url, r"/alive/([\w-]+)"), _Alive)
        return [self._guarded(*handler) for handler in (alive, *super().init_handlers())]

    @staticmethod
    def _guarded(pattern: str, handler: type, *rest: Any) -> tuple[Any, ...]:
        base = _OURS.get(handler, handler)
        return (pattern, type(f"Guarded{base.__name__}", (_Guard, base), {}), *rest)
