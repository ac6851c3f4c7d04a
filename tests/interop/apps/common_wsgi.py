"""What the providers in Python share that are WSGI applications: options, counts, and a server.

Beside the provider's own routes it answers:
GET  /whoami              its userinfo endpoint, after `?wait=MILLISECONDS`
GET  /control/counts      how many refresh tokens it has accepted and refused, and how many tokens were revoked
POST /control/NAME        one of the provider's controls, with the query's parameters
"""

import json
import signal
import sys
import threading
import time
from socketserver import ThreadingMixIn
from urllib.parse import parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

options = json.loads(sys.argv[1])


class Counts:
    """How often a test's client has got what."""

    def __init__(self):
        self.lock = threading.Lock()
        self.values = {"refreshed": 0, "refused": 0, "revoked": 0}

    def add(self, name):
        with self.lock:
            self.values[name] += 1

    def read(self):
        with self.lock:
            return dict(self.values)


counts = Counts()


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


    request_queue_size = 128


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def serve(name, listener, provider, userinfo, controls):
    """Serves `provider` and its `controls` on the port of `listener`, which it prints."""

    def application(environ, start_response):
        path, query = environ["PATH_INFO"], dict(parse_qsl(environ.get("QUERY_STRING", "")))
        if path == "/whoami":
            time.sleep(int(query.get("wait", 0)) / 1000)
            own = f"localhost:{server.server_port}"
            environ = {**environ, "PATH_INFO": userinfo, "QUERY_STRING": "", "HTTP_HOST": own}
        elif path == "/control/counts":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(counts.read()).encode()]
        elif path.startswith("/control/"):
            controls[path.removeprefix("/control/")](query)
            start_response("204 No Content", [])
            return []
        return provider(environ, start_response)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Server(listener.getsockname(), Quiet, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_bind = lambda: None
    server.server_name, server.server_port = "localhost", listener.getsockname()[1]
    server.setup_environ()
    server.set_app(application)
    print(f"{name} at http://localhost:{server.server_port}", flush=True)
    server.serve_forever()
