"""The official API from a page of another origin, in a real browser."""

from __future__ import annotations

import html
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.standalone.process import PATIENCE, Process, environment
from tests.apps.standalone.test_serve import document

pytestmark = pytest.mark.e2e

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or ""

# What VS Code and Copilot ask with nothing but a base: a probe, the pages of the gallery, a search, one server in its
# latest and in an exact version, one that is not there; and the older API, should the newer one not answer.
PAGE = """<!doctype html><meta charset="utf-8"><title>another origin</title><pre id="out">waiting</pre><script>
const base = "BASE", out = document.getElementById("out");
const ask = path => fetch(base + path, {headers: {"Content-Type": "application/json", "Authorization": "Bearer x"}});
const names = page => page.servers.map(item => item.server.name);
const walk = async path => {
  const found = [];
  let cursor = "";
  do {
    const page = await (await ask(path + cursor)).json();
    found.push(...names(page));
    cursor = page.metadata.nextCursor ? "&cursor=" + encodeURIComponent(page.metadata.nextCursor) : "";
  } while (cursor);
  return found;
};
(async () => {
  try {
    const probe = await (await fetch(base + "/v0.1/servers?limit=1")).json();
    const listed = await walk("/v0.1/servers?limit=50&version=latest");
    const one = "/servers/" + encodeURIComponent(listed[0]) + "/versions/";
    const latest = await ask("/v0.1" + one + "latest");
    const version = (await latest.json()).server.version;
    const exact = await (await ask("/v0.1" + one + encodeURIComponent(version))).json();
    const gone = await ask("/v0.1/servers/no%2Fone/versions/latest");
    out.textContent = JSON.stringify({
      probe: probe.servers.length, listed: listed.length, different: new Set(listed).size, first: listed[0],
      older: (await walk("/v0/servers?limit=50&version=latest")).length,
      searched: await walk("/v0.1/servers?limit=50&version=latest&search=number-07"),
      version, exact: exact.server.name, etag: latest.headers.get("etag"),
      missing: [gone.status, (await gone.json()).error]});
  } catch (error) {
    out.textContent = JSON.stringify({error: String(error)});
  }
  document.title = "done";
})();
</script>"""


@pytest.fixture
def elsewhere() -> Iterator[Any]:
    """Serves one page from an origin of its own."""
    pages: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages["page"])

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()

        def publish(page: str) -> str:
            pages["page"] = page.encode()
            return f"http://127.0.0.1:{server.server_address[1]}/"

        yield publish
        server.shutdown()
        thread.join()


@pytest.mark.skipif(
    not BROWSER, reason="chromium is not installed (Debian, Ubuntu: apt-get install chromium)"
)
@pytest.mark.requirement("API-06")
def test_a_page_of_another_origin_reads_the_official_api(tmp_path: Path, elsewhere: Any) -> None:
    servers = [f"number-{number:03}" for number in range(120)]
    (tmp_path / "mine.json").write_text(document(*servers))
    with Process(tmp_path, "serve", "--registry-file", "mine.json", "--port", "0") as server:
        server.until_served("/v0.1/servers")
        address = elsewhere(PAGE.replace("BASE", f"http://127.0.0.1:{server.port}"))
        said = look_at(address, tmp_path)
    assert said.pop("etag"), said
    assert said == {
        "probe": 1,
        "listed": 120,
        "different": 120,
        "first": "io.github.stacklok/number-000",
        "older": 120,
        "searched": [f"io.github.stacklok/number-{number:03}" for number in range(70, 80)],
        "version": "1.0.0",
        "exact": "io.github.stacklok/number-000",
        "missing": [404, "Server not found"],
    }


def look_at(address: str, folder: Path) -> dict[str, Any]:
    """What the page has written when it is done."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    done = subprocess.run(
        [BROWSER, *flags, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=20000",
         "--dump-dom", address],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=True,
    )  # fmt: skip
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stdout
    said: dict[str, Any] = json.loads(html.unescape(found[1]))
    return said
