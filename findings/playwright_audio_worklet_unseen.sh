#!/usr/bin/env bash
# Library:   playwright 1.65.2 (Python), Debian's Chromium 156, Linux. No part of this project is
#            used. CHROMIUM names the browser (default: chromium).
#
# Behaviour: Playwright does not see the request with which `audioWorklet.addModule` loads its file:
#            no `request` event of the page or its context, and no `route`, although both see
#            modules, `fetch`, workers, and the worklet of CSS paint. The file comes from the server.
#
# Expected:  The request is seen like those of other scripts.
#
# Affected:  A test that replaces the file of a worklet, or that asserts with `request` events that a
#            page asks no other host. Let the server give another file, and look at its own log.
#
# Seen:      2026-11-30, two cores, three times:
#   playwright 1.65.2, Chromium 156.0.8078.108: seen and routed module, fetch, worker, paint; neither seen nor routed audio
#
# Exits with 0 where Playwright behaves like this, with 1 where the behaviour has changed. Takes 20 s.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check playwright==1.65.2

cat >"$folder/worklets.py" <<'PYTHON'
import http.server
import importlib.metadata
import shutil
import sys
import threading

from playwright.sync_api import sync_playwright

LOAD = """async () => {
    await import("/module.js");
    await fetch("/fetch.js");
    const answered = new Promise((resolve) => {
        new Worker("/worker.js").onmessage = resolve;
    });
    await answered;
    await CSS.paintWorklet.addModule("/paint.js");
    await new AudioContext().audioWorklet.addModule("/audio.js");
}"""
SCRIPT = b"globalThis.postMessage?.('loaded');"
NAMES = ("module", "fetch", "worker", "paint", "audio")


class Server(http.server.BaseHTTPRequestHandler):
    asked = []

    def do_GET(self):
        self.asked.append(name_of(self.path))
        is_script = self.path.endswith(".js")
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
        self.end_headers()
        self.wfile.write(SCRIPT if is_script else b"<title>worklets</title>")

    def log_message(self, *_):
        pass


def name_of(url):
    return url.rpartition("/")[2].removesuffix(".js")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
seen, routed = set(), set()


def pass_on(route):
    routed.add(name_of(route.request.url))
    route.continue_()


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=shutil.which(sys.argv[1]), args=["--no-sandbox"]
    )
    page = browser.new_page()
    page.context.on("request", lambda request: seen.add(name_of(request.url)))
    page.context.route("**/*.js", pass_on)
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    page.evaluate(LOAD)
    version = browser.version
    browser.close()

assert set(NAMES) <= set(Server.asked), f"the server was asked for {Server.asked} alone"
both = [name for name in NAMES if name in seen & routed]
neither = [name for name in NAMES if name not in seen | routed]
print(
    f"playwright {importlib.metadata.version('playwright')}, Chromium {version}: "
    f"seen and routed {', '.join(both)}; neither seen nor routed {', '.join(neither)}"
)
sys.exit(neither != ["audio"])
PYTHON

"$folder/venv/bin/python" "$folder/worklets.py" "${CHROMIUM:-chromium}"
