"""Serves the page in dashboard/ and passes its statements on to Magic, as a web server in front of it would.

    python dashboard.py [http://127.0.0.1:8123]      # or MAGIC_URL; then open http://127.0.0.1:8080/

Python's own library is enough. MAGIC_USER and MAGIC_PASSWORD should be those of a reader who sees the shop
and nothing else: whoever reaches this address can read what that user can. PORT is another port.
"""

import os
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

URL = (sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAGIC_URL", "http://127.0.0.1:8123")).rstrip("/")


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        address = urlsplit(self.path)
        if address.path != "/magic/":
            return super().do_GET()
        given = parse_qs(address.query)
        wanted = {name: given[name][0] for name in ("query", "default_format") if name in given}
        # By GET, so it only reads, even where there are no users.
        request = urllib.request.Request(f"{URL}/?{urlencode(wanted)}")
        if "MAGIC_USER" in os.environ:
            login = f"{os.environ['MAGIC_USER']}:{os.environ['MAGIC_PASSWORD']}"
            request.add_header("Authorization", "Basic " + b64encode(login.encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                self.answer(response.status, response.headers["Content-Type"], response.read())
        except urllib.error.HTTPError as error:
            self.answer(error.code, "text/plain; charset=utf-8", error.read())
        except OSError as error:
            self.answer(502, "text/plain; charset=utf-8", str(error).encode())

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(
    ("127.0.0.1", int(os.environ.get("PORT", "8080"))), partial(Handler, directory=str(Path(__file__).parent / "dashboard")))
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    pass
