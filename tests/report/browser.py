"""A real browser without a window, and what it says of a page."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATH = next((found for name in NAMES if (found := shutil.which(name))), None)

# Shown in a frame as wide as a phone: browsers without a window may be no narrower than 500 pixels.
_LOOK = """<!doctype html><meta charset="utf-8"><body><pre id="said"></pre>
<iframe id="page" width="390" height="840" srcdoc="{page}"></iframe>
<script>
document.getElementById("page").addEventListener("load", event => {{
  const page = event.target.contentDocument;
  const pictures = [...page.images].map(one => [one.alt, one.complete && one.naturalWidth > 0, one.clientWidth]);
  const said = {{
    sections: [...page.querySelectorAll("section")].map(one => one.id),
    pictures: pictures,
    rows: Object.fromEntries([...page.querySelectorAll("section")].map(
      one => [one.id, one.querySelectorAll("tbody tr").length])),
    width: page.documentElement.scrollWidth,
    text: page.body.innerText,
  }};
  document.getElementById("said").textContent = JSON.stringify(said);
}});
</script>"""


def look_at(page: Path) -> tuple[dict[str, Any], list[str]]:
    """Return what a page as wide as a phone holds, and what the browser's console said."""
    wrapped = page.with_suffix(".looked-at.html")
    wrapped.write_text(_LOOK.format(page=html.escape(page.read_text(), quote=True)))
    done = _run(page, "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom", wrapped.as_uri())
    found = re.search(r'<pre id="said">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return json.loads(html.unescape(found[1])), console


def printed(page: Path) -> bytes:
    """Return a page as PDF, as it would be printed."""
    out = page.with_suffix(".pdf")
    _run(page, "--no-pdf-header-footer", f"--print-to-pdf={out}", page.as_uri())
    return out.read_bytes()


def _run(page: Path, *words: str) -> subprocess.CompletedProcess[str]:
    assert PATH is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-extensions", "--disable-dev-shm-usage"]
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [PATH, *options, profile, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
