"""canaille with its own login and consent pages, tokens that live for seconds, and all data in memory.

    python canaille_sso.py '{ "redirect_uri": …, "post_logout_redirect_uri": …, "access_token_ttl": SECONDS }'

It prints `http://localhost:PORT`. Beside its own routes it has what every program of the walks has: see common_wsgi.py.
"""

import datetime
import socket

from authlib.oauth2 import OAuth2Error
from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from canaille.oidc import provider
from common_wsgi import counts, options, serve
from joserfc.jwk import RSAKey

listener = socket.create_server(("127.0.0.1", 0), backlog=128)
port = listener.getsockname()[1]
scopes = ["openid", "profile", "email"]

validate_token_request = provider.RefreshTokenGrant.validate_token_request
revoke_token = provider.RevocationEndpoint.revoke_token


def count_refresh(self):
    try:
        validate_token_request(self)
    except OAuth2Error:
        counts.add("refused")
        raise
    counts.add("refreshed")


def count_revocation(self, token, request):
    revoke_token(self, token, request)
    counts.add("revoked")


# It has no hook for these.
provider.RefreshTokenGrant.validate_token_request = count_refresh
provider.RevocationEndpoint.revoke_token = count_revocation

app = create_app(
    {
        "SECRET_KEY": "of a test and of nothing else",
        "SERVER_NAME": f"localhost:{port}",
        "PREFERRED_URL_SCHEME": "http",
        "SESSION_COOKIE_NAME": f"canaille-{port}",
        "OAUTH2_TOKEN_EXPIRES_IN": {"authorization_code": options["access_token_ttl"]},
        "CANAILLE": {"DATABASE": "memory", "ADMIN_EMAIL": "admin@example.com"},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [RSAKey.generate_key(2048).as_dict(private=True)]},
    }
)


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
    with app.app_context():
        user = user_of(query)
        user.emails = [query["email"]]
        Backend.instance.save(user)


def disable(query):
    with app.app_context():
        user = user_of(query)
        user.lock_date = datetime.datetime.now(datetime.timezone.utc)
        Backend.instance.save(user)


with app.app_context(), Backend.instance.session():
    register()
serve("canaille", listener, app, "/oauth/userinfo", {"address": change_address, "disable": disable})
