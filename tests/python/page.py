"""Runs the code of docs/python.md: with assertions that a key of this test signs, and a server for that key."""

import base64
import hmac
import http.server
import importlib
import json
import pathlib
import re
import sys
import tempfile
import threading
import time
import unittest

import django
import django.conf
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpResponse
from django.test import RequestFactory

PAGE = pathlib.Path(__file__).parents[2] / "docs/python.md"


def key_pair(kid):
    private = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key()))
    return private, {**public, "kid": kid, "alg": "ES256", "use": "sig"}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Keys(http.server.BaseHTTPRequestHandler):
    status = 200
    keys = []
    requests = 0

    def do_GET(self):
        Keys.requests += 1
        body = json.dumps({"keys": Keys.keys}).encode()
        self.send_response(Keys.status)
        self.send_header("Content-Type", "application/jwk-set+json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.private, public = key_pair("worker")
        Keys.keys = [public]
        cls.folder = tempfile.TemporaryDirectory()
        address = f"http://127.0.0.1:{cls.server.server_port}/auth"
        blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
        for block in blocks:
            # The first line of each block names its file.
            name = re.match(r"# (\w+\.py)", block).group(1)
            # The one difference: the keys of this test are at this machine.
            text = block.replace('ISSUER + "/jwks.json"', repr(address + "/jwks.json"))
            pathlib.Path(cls.folder.name, name).write_text(text)
        sys.path.insert(0, cls.folder.name)
        django.conf.settings.configure(ALLOWED_HOSTS=["*"])
        django.setup()
        cls.page = importlib.import_module("vestibule")
        cls.middleware = importlib.import_module("middleware")

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()
        cls.folder.cleanup()

    def setUp(self):
        Keys.status = 200

    def token(self, key=None, kid="worker", **changes):
        now = int(time.time())
        claims = {
            "iss": "https://app.example.com/auth",
            "aud": "app",
            "sub": "00u1a2b3",
            "provider": "okta",
            "roles": ["admin"],
            "iat": now,
            "exp": now + 60,
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, key or self.private, algorithm="ES256", headers={"kid": kid})

    def test_an_assertion_gives_the_user(self):
        user = self.page.user_of({"X-Vestibule-Assertion": self.token()})
        self.assertEqual((user["sub"], user["provider"], user["roles"]), ("00u1a2b3", "okta", ["admin"]))
        self.assertIsNone(self.page.user_of({}))

    def test_several_issuers_may_be_named(self):
        one = self.page.ISSUER
        self.page.ISSUER = [one, "https://admin.example.com/auth"]
        try:
            self.assertEqual(self.page.verify(self.token(iss="https://admin.example.com/auth"))["sub"], "00u1a2b3")
        finally:
            self.page.ISSUER = one

    def test_an_assertion_that_is_not_valid_is_an_error(self):
        now = int(time.time())
        other, _ = key_pair("other")
        head, payload, _ = self.token().split(".")
        none = base64url(b'{"alg":"none","kid":"worker"}')
        # The public key as the secret of an HMAC.
        public = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        hs256 = base64url(b'{"alg":"HS256","kid":"worker"}') + "." + payload
        mac = base64url(hmac.digest(public, hs256.encode(), "sha256"))
        for bad in [
            "",
            "a.b.c",
            "x" * 20000,
            f"{none}.{payload}.",
            f"{head}.{payload}.",
            f"{hs256}.{mac}",
            self.token(key=other),
            self.token(kid="unknown"),
            self.token(iss="https://evil.example/auth"),
            self.token(aud="other"),
            self.token(aud=None),
            self.token(exp=now - 6),
            self.token(exp=None),
            self.token(sub=None),
            self.token(nbf=now + 60),
        ]:
            with self.assertRaises(jwt.PyJWTError, msg=bad):
                self.page.user_of({"X-Vestibule-Assertion": bad})

    def test_many_unknown_keys_are_few_requests(self):
        before = Keys.requests
        for _ in range(20):
            with self.assertRaises(jwt.PyJWTError):
                self.page.verify(self.token(kid="unknown"))
        self.assertLessEqual(Keys.requests - before, 1)

    def test_django_has_the_user_and_answers_what_is_not_valid(self):
        answered = self.middleware.VestibuleMiddleware(
            lambda request: HttpResponse(request.vestibule["sub"] if request.vestibule else "nobody")
        )
        get = RequestFactory().get

        def ask(token):
            return answered(get("/", headers={"X-Vestibule-Assertion": token}))

        self.assertEqual(ask(self.token()).content, b"00u1a2b3")
        self.assertEqual(answered(get("/")).content, b"nobody")
        self.assertEqual(ask("evil").status_code, 401)
        self.page.keys = jwt.PyJWKClient(f"http://127.0.0.1:{self.server.server_port}/other")
        Keys.status = 500
        self.assertEqual(ask(self.token()).status_code, 503)


if __name__ == "__main__":
    unittest.main()
