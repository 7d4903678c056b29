"""The site as `make docs` builds it, served on this machine, and a real browser that looks at it."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.report.browser import PATH

ROOT = Path(__file__).parents[2]


def build(folder: Path, config: Path = ROOT / "mkdocs.yml") -> str:
    """Build a site into a folder, strictly; return what was said.

    Raises:
        AssertionError: MkDocs warned, or failed.
    """
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder), "-f", str(config)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stderr


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine, and give its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Looking:
    """A page of a browser, and what it asked for and complained of."""

    page: Any
    asked: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def failed(self, request: Any) -> None:
        """Note a request that failed; one that the next page cut short did not."""
        if request.failure != "net::ERR_ABORTED":
            self.trouble.append(f"{request.failure}: {request.url}")


@contextlib.contextmanager
def looking() -> Iterator[Looking]:
    """Open a page in the system's Chromium, without a window; nothing but this machine can be reached from it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=PATH, args=["--no-sandbox", "--disable-gpu"])
        look = Looking(browser.new_page(viewport={"width": 1280, "height": 900}))
        look.page.on("request", lambda request: look.asked.append(request.url))
        look.page.on("requestfailed", look.failed)
        look.page.on("pageerror", lambda error: look.trouble.append(str(error)))
        look.page.on("console", lambda said: said.type in {"error", "warning"} and look.trouble.append(said.text))
        try:
            yield look
        finally:
            browser.close()
