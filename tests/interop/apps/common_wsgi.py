"""What the providers in Python share that are WSGI applications: options, counts, and a server.

Beside the provider's own routes it answers:
GET  /whoami              its userinfo endpoint, or an API beside it, after `?wait=MILLISECONDS`
GET  /control/counts      how many refresh tokens it has accepted and refused, and how many tokens were revoked
GET  /control/logout-tokens  the logout tokens that it has sent, by back-channel logout
POST /control/logout-token   where it sends them
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
        self.values = {"refreshed": 0, "refused": 0, "late": 0, "revoked": 0}

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


def serve(name, listener, provider, whoami, controls):
    """Serves `provider` and its `controls` on the port of `listener`, which it prints. `whoami` is the path of its userinfo
    endpoint, or another application. The providers keep their data in memory, for one request at a time."""
    lock = threading.Lock()
    logout_tokens = []

    def application(environ, start_response):
        path, query = environ["PATH_INFO"], dict(parse_qsl(environ.get("QUERY_STRING", "")))

        def say(status, body=None):
            start_response(status, [("Content-Type", "application/json")])
            return [] if body is None else [json.dumps(body).encode()]

        if path == "/whoami":
            time.sleep(int(query.get("wait", 0)) / 1000)
            if callable(whoami):
                return whoami(environ, start_response)
            environ = {**environ, "PATH_INFO": whoami, "QUERY_STRING": ""}
        elif path == "/control/counts":
            return say("200 OK", counts.read())
        elif path == "/control/logout-tokens":
            return say("200 OK", logout_tokens)
        elif path == "/control/logout-token":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
            logout_tokens.append(dict(parse_qsl(body))["logout_token"])
            return say("200 OK")
        elif path.startswith("/control/"):
            with lock:
                controls[path.removeprefix("/control/")](query)
            return say("204 No Content")
        # The walks and the Worker ask it by another name than its own.
        environ = {**environ, "HTTP_HOST": f"localhost:{server.server_port}"}
        with lock:
            return provider(environ, start_response)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = Server(listener.getsockname(), Quiet, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = "localhost", listener.getsockname()[1]
    server.setup_environ()
    server.set_app(application)
    print(f"{name} at http://localhost:{server.server_port}", flush=True)
    server.serve_forever()
