"""canaille with its own login and consent pages, tokens that live for seconds, and all data in memory.

    python canaille_sso.py '{ "redirect_uri": …, "post_logout_redirect_uri": …, "access_token_ttl": SECONDS, "checks": … }'

It prints `http://localhost:PORT`. Beside its own routes it has what every program of the walks has: see common_wsgi.py.
`GET /whoami` is its userinfo endpoint, which knows every token that was revoked (`"checks": "there"`), or an API that
checks the signature and the end of the access token, which is a JWT (`"checks": "itself"`). The controls:

POST /control/address     the user `user` has the address `email`
POST /control/disable     the user `user` is locked
POST /control/revoke      the consent of the user `user` is withdrawn
POST /control/secret      the client has another secret
"""

import datetime
import json
import socket

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from common_wsgi import counts, options, serve
from flask import request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

ttl = options["access_token_ttl"]
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
port = listener.getsockname()[1]
scopes = ["openid", "profile", "email"]
key = RSAKey.generate_key(2048)

app = create_app(
    {
        "SECRET_KEY": "of a test and of nothing else",
        "SERVER_NAME": f"localhost:{port}",
        "PREFERRED_URL_SCHEME": "http",
        "SESSION_COOKIE_NAME": f"canaille-{port}",
        # Each grant has its own: without the second one, a renewed token lives for an hour.
        "OAUTH2_TOKEN_EXPIRES_IN": {"authorization_code": ttl, "refresh_token": ttl},
        "CANAILLE": {"DATABASE": "memory", "ADMIN_EMAIL": "admin@example.com"},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)]},
    }
)


@app.before_request
def count_late():
    """A refresh token that has ended, and was not used: the machine was too slow for the walk."""
    if request.path == "/oauth/token" and (value := request.form.get("refresh_token")):
        for token in Backend.instance.query(models.Token, refresh_token=value):
            if not token.revoked and not token.is_refresh_token_active():
                counts.add("late")


@app.after_request
def count(response):
    is_good = response.status_code == 200
    if request.path == "/oauth/token" and request.form.get("grant_type") == "refresh_token":
        counts.add("refreshed" if is_good else "refused")
    if request.path == "/oauth/revoke" and is_good:
        counts.add("revoked")
    return response


def api(environ, start_response):
    token = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
    try:
        claims = jwt.decode(token, key, algorithms=["RS256", "RS384", "RS512"]).claims
        jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
    except (JoseError, ValueError):
        start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
        return []
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(claims).encode()]


def register():
    client = models.Client(
        client_id="vestibule",
        client_secret="of-a-test-and-of-nothing-else",
        client_name="Vestibule",
        client_id_issued_at=datetime.datetime.now(datetime.timezone.utc),
        redirect_uris=[options["redirect_uri"]],
        post_logout_redirect_uris=[options["post_logout_redirect_uri"]],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        scope=scopes,
        token_endpoint_auth_method="client_secret_basic",
    )
    Backend.instance.save(client)
    client.audience = [client]
    Backend.instance.save(client)
    for name in ["ada", "bob"]:
        user = models.User(
            user_name=name,
            given_name=name,
            family_name="of a test",
            formatted_name=f"{name} of a test",
            emails=[f"{name}@example.com"],
            password=name,
        )
        Backend.instance.save(user)


def user_of(query):
    return Backend.instance.get(models.User, user_name=query["user"])


def change_address(query):
    user = user_of(query)
    user.emails = [query["email"]]
    Backend.instance.save(user)


def disable(query):
    user = user_of(query)
    user.lock_date = datetime.datetime.now(datetime.timezone.utc)
    Backend.instance.save(user)


def revoke(query):
    for consent in Backend.instance.query(models.Consent, subject=user_of(query)):
        consent.revoke()


def change_secret(_query):
    client = Backend.instance.get(models.Client, client_id="vestibule")
    client.client_secret = "another one"
    Backend.instance.save(client)


def in_the_app(control):
    def run(query):
        with app.app_context(), Backend.instance.session():
            control(query)

    return run


with app.app_context(), Backend.instance.session():
    register()
controls = {"address": change_address, "disable": disable, "revoke": revoke, "secret": change_secret}
serve(
    "canaille",
    listener,
    app,
    api if options["checks"] == "itself" else "/oauth/userinfo",
    {name: in_the_app(control) for name, control in controls.items()},
)
