"""idpyoidc as an OpenID provider, with pages for login and logout, tokens that live for seconds, and all data in memory.

    python idpyoidc_op.py '{ "redirect_uri": …, "post_logout_redirect_uri": …, "access_token_ttl": SECONDS, "channel": … }'

It prints `http://localhost:PORT`. Its client is registered for a logout by the `channel` "back" or "front", or by none.
Beside the provider's own routes it has what every program of the walks has: see common_wsgi.py. The controls:

POST /control/address     the user `user` has the address `email`
POST /control/disable     the user `user` cannot log in, and the tokens of all sign-ins end
POST /control/revoke      the tokens of all sign-ins of the user `user` end
POST /control/secret      the client has another secret
"""

import html
import json
import secrets
import socket
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, parse_qsl

from common_wsgi import counts, options, serve
from cryptojwt.jwt import JWT
from idpyoidc.message import Message
from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.exception import FailedAuthentication, UnAuthorizedClient
from idpyoidc.server.oidc.session import Session
from idpyoidc.server.user_authn.user import UserAuthnMethod, create_signed_jwt, verify_signed_jwt

CLIENT = "vestibule"
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
issuer = f"http://localhost:{listener.getsockname()[1]}"
users = {name: {"name": f"{name} of a test", "email": f"{name}@example.com"} for name in ["ada", "bob"]}
disabled = set()


class Login(UserAuthnMethod):
    """A form for the name and the password, which are the same. The request comes back with it, signed."""

    def __call__(self, **kwargs):
        request = create_signed_jwt(issuer, server.keyjar, query=kwargs["query"])
        return f"""<form method="post" action="/login"><input name="request" type="hidden" value="{request}">
            <input name="username"><input name="password" type="password"><button>Sign in</button></form>"""

    def verify(self, username, password):
        if username not in users or username != password or username in disabled:
            raise FailedAuthentication()
        return username


class EndSession(Session):
    def client_authentication(self, request, http_info=None, **kwargs):
        """Its own wants an access token of whoever signs out, and ends with `KeyError('token')`."""
        return {}


def endpoint(path, name, **kwargs):
    return {"path": path, "class": f"idpyoidc.server.{name}", "kwargs": kwargs}


def token(lifetime):
    return {"class": "idpyoidc.server.token.jwt_token.JWTToken", "kwargs": {"lifetime": lifetime}}


authenticates = ["client_secret_basic", "client_secret_post"]
server = Server(
    OPConfiguration(
        {
            "issuer": issuer,
            "key_conf": {
                "key_defs": [
                    {"type": "RSA", "use": ["sig"]},
                    {"type": "EC", "crv": "P-256", "use": ["sig"]},
                ],
                "uri_path": "jwks.json",
            },
            "preference": {
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "subject_types_supported": ["public"],
            },
            "endpoint": {
                "provider_config": endpoint(
                    ".well-known/openid-configuration", "oidc.provider_config.ProviderConfiguration"
                ),
                "authorization": endpoint(
                    "authorization", "oidc.authorization.Authorization", response_types_supported=["code"]
                ),
                # A refresh token works once.
                "token": endpoint(
                    "token",
                    "oidc.token.Token",
                    client_authn_method=authenticates,
                    revoke_refresh_on_issue=True,
                ),
                "token_revocation": endpoint(
                    "revocation",
                    "oauth2.token_revocation.TokenRevocation",
                    client_authn_method=authenticates,
                ),
                "userinfo": endpoint(
                    "userinfo", "oidc.userinfo.UserInfo", client_authn_method=["bearer_header"]
                ),
                "session": {
                    "path": "session",
                    "class": EndSession,
                    "kwargs": {
                        "logout_verify_url": f"{issuer}/verify_logout",
                        "post_logout_uri_path": "post_logout",
                        "signing_alg": "ES256",
                    },
                },
            },
            "token_handler_args": {
                "code": token(60),
                "token": token(options["access_token_ttl"]),
                "refresh": token(3600),
                "id_token": {
                    "class": "idpyoidc.server.token.id_token.IDToken",
                    "kwargs": {"add_claims_by_scope": True},
                },
            },
            "authz": {
                "class": "idpyoidc.server.authz.AuthzHandling",
                "kwargs": {
                    "grant_config": {
                        "usage_rules": {
                            "authorization_code": {
                                "supports_minting": ["access_token", "refresh_token", "id_token"],
                                "max_usage": 1,
                            },
                            "access_token": {"expires_in": options["access_token_ttl"]},
                            "refresh_token": {
                                "supports_minting": ["access_token", "refresh_token", "id_token"],
                                "expires_in": 3600,
                            },
                        },
                        "expires_in": 3600,
                    }
                },
            },
            "authentication": {"user": {"acr": "password", "class": Login, "kwargs": {}}},
            "userinfo": {"class": "idpyoidc.server.user_info.UserInfo", "kwargs": {"db": users}},
            "cookie_handler": {
                "class": "idpyoidc.server.cookie_handler.CookieHandler",
                "kwargs": {
                    "sign_key": secrets.token_hex(32),
                    # A cookie that is only signed has quotes and spaces, which no cookie may have.
                    "enc_key": secrets.token_hex(16),
                    "name": {"session": "op", "register": "op_register", "session_management": "op_state"},
                    "flags": {"samesite": "Lax", "httponly": True},
                },
            },
            "add_ons": {
                "pkce": {
                    "function": "idpyoidc.server.oauth2.add_on.pkce.add_support",
                    "kwargs": {"essential": True},
                }
            },
        }
    )
)
context = server.context
context.cdb[CLIENT] = {
    "client_id": CLIENT,
    "client_secret": "of-a-test-and-of-nothing-else",
    "redirect_uris": [(options["redirect_uri"], {})],
    "post_logout_redirect_uri": [(options["post_logout_redirect_uri"], {})],
    "response_types_supported": ["code"],
    "grant_types_supported": ["authorization_code", "refresh_token"],
    "allowed_scopes": ["openid", "profile", "email", "offline_access"],
    "id_token_signed_response_alg": "ES256",
}
if options.get("channel") == "back":
    # It cannot reach the Worker: a walk takes the tokens there.
    context.cdb[CLIENT] |= {
        "backchannel_logout_uri": f"{issuer}/control/logout-token",
        "backchannel_logout_session_required": True,
    }
if options.get("channel") == "front":
    context.cdb[CLIENT] |= {
        "frontchannel_logout_uri": options["frontchannel_logout_uri"],
        "frontchannel_logout_session_required": True,
    }


class Answer:
    """What goes to the browser or to the client."""

    def __init__(self, status, body="", content_type="text/html", location=None, cookies=()):
        self.status, self.body, self.cookies = status, body, cookies
        self.headers = [("Content-Type", content_type), ("Cache-Control", "no-store")]
        if location:
            self.headers.append(("Location", location))

    def __call__(self, start_response):
        for cookie in self.cookies:
            attributes = "".join(
                f"; {name}" if value is True else f"; {name}={value}"
                for name, value in cookie.items()
                if name not in ["name", "value"]
            )
            self.headers.append(("Set-Cookie", f"{cookie['name']}={cookie['value']}; path=/{attributes}"))
        start_response(f"{self.status} -", self.headers)
        return [self.body.encode()]


def page(body):
    return Answer(200, f"<!doctype html><title>Provider</title>{body}")


def http_info(environ):
    cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
    return {
        "headers": {"authorization": environ.get("HTTP_AUTHORIZATION")},
        "method": environ["REQUEST_METHOD"],
        "url": issuer + environ["PATH_INFO"],
        "cookie": [{"name": name, "value": morsel.value} for name, morsel in cookies.items()],
    }


def say(status, body):
    return Answer(status, json.dumps(body), "application/json")


def ask(name, request, info):
    """The endpoint's answer to a request; an error is status 400, or 401 if the client is not who it says."""
    point = server.get_endpoint(name)
    try:
        parsed = point.parse_request(request, http_info=info)
    except UnAuthorizedClient as error:
        return None, say(401, {"error": "invalid_client", "error_description": repr(error)})
    if "error" in parsed:
        return None, say(400, parsed.to_dict())
    result = point.process_request(parsed, http_info=info)
    if "error" in result:
        return None, say(400, dict(result))
    return parsed, result


def sent(name, parsed, result):
    """The answer of an endpoint, as it is sent."""
    told = server.get_endpoint(name).do_response(request=parsed, **result)
    body, content_type = told["response"], dict(told["http_headers"])["Content-type"]
    if body.startswith(options["redirect_uri"]):
        return Answer(302, location=body, cookies=result.get("cookie", []))
    return Answer(200, body, content_type)


def authorization(environ, query):
    parsed, result = ask("authorization", query, http_info(environ))
    if parsed is None:
        return result
    if "http_response" in result:
        return page(result["http_response"])
    return sent("authorization", parsed, result)


def login(_environ, form):
    fields = dict(parse_qsl(form))
    query = verify_signed_jwt(fields["request"], server.keyjar)["query"]
    method = context.authn_broker.get_method_by_id("user")
    try:
        name = method.verify(fields["username"], fields["password"])
    except FailedAuthentication:
        return page(f"<p>Wrong name or password.</p>{method(query=query)}")
    point = server.get_endpoint("authorization")
    parsed = point.parse_request(query)
    session = point.create_session(parsed, name, "password", None, method)
    return sent("authorization", parsed, point.authz_part2(request=parsed, session_id=session))


def token_answer(environ, form):
    parsed, result = ask("token", form, http_info(environ))
    if dict(parse_qsl(form)).get("grant_type") == "refresh_token":
        counts.add("refused" if parsed is None else "refreshed")
    return result if parsed is None else sent("token", parsed, result)


def revocation(environ, form):
    parsed, result = ask("token_revocation", form, http_info(environ))
    if parsed is None:
        return result
    counts.add("revoked")
    return Answer(200)


def userinfo(environ, _form):
    parsed, result = ask("userinfo", {}, http_info(environ))
    return Answer(401) if parsed is None else sent("userinfo", parsed, result)


def end_session(environ, query):
    """Its sign-out begins here, and asks on the next page."""
    try:
        point = server.get_endpoint("session")
        info = http_info(environ)
        result = point.process_request(point.parse_request(dict(parse_qsl(query)), info), info)
    except Exception as error:
        return Answer(400, html.escape(repr(error)))
    return Answer(302, location=result["redirect_location"])


def verify_logout(_environ, query):
    """Asks, unless an application of this client has sent the person, with the ID token as a hint."""
    [sjwt] = parse_qs(query)["sjwt"]
    button = '<button name="logout" value="yes">Sign out</button>'
    form = f"""<form method="post" action="/logout"><input type="hidden" name="sjwt" value="{sjwt}">{button}</form>"""
    is_hinted = not unpacked(sjwt)["redirect_uri"].startswith(issuer)
    return page(f'<body onload="document.forms[0].submit()">{form}' if is_hinted else form)


def logout(_environ, form):
    request = unpacked(dict(parse_qsl(form))["sjwt"])
    point = server.get_endpoint("session")
    frames = list(point.do_verified_logout(**request))
    # It ends the grants of this person and client, in every browser, but not their tokens: a refresh with one of them
    # would end with `AttributeError`.
    revoke({"user": context.session_manager.decrypt_session_id(request["sid"])[0]})
    cookies = point.kill_cookies()
    if frames:
        return Answer(200, "".join(f"{frame}</iframe>" for frame in frames), cookies=cookies)
    return Answer(302, location=request["redirect_uri"], cookies=cookies)


def unpacked(sjwt):
    verifier = JWT(server.keyjar, iss=issuer, allowed_sign_algs=["ES256"])
    return verifier.unpack(sjwt)


routes = {
    "/.well-known/openid-configuration": lambda *_: say(200, Message(**context.provider_info).to_dict()),
    "/authorization": authorization,
    "/jwks.json": lambda *_: say(200, json.loads(server.keyjar.export_jwks_as_json())),
    "/login": login,
    "/logout": logout,
    "/post_logout": lambda *_: page("<p>You are signed out.</p>"),
    "/revocation": revocation,
    "/session": end_session,
    "/token": token_answer,
    "/userinfo": userinfo,
    "/verify_logout": verify_logout,
}


def application(environ, start_response):
    route = routes.get(environ["PATH_INFO"])
    if route is None:
        return Answer(404)(start_response)
    if environ["REQUEST_METHOD"] == "POST":
        text = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    else:
        text = environ.get("QUERY_STRING", "")
    return route(environ, text)(start_response)


def change_address(query):
    context.userinfo.db[query["user"]]["email"] = query["email"]


def revoke(query):
    for grant in context.session_manager.grants(path=[query["user"], CLIENT]):
        grant.revoke_token()


def disable(query):
    disabled.add(query["user"])
    if query["user"] in context.session_manager.db:
        revoke(query)


def change_secret(_query):
    context.cdb[CLIENT]["client_secret"] = "another one"


controls = {"address": change_address, "disable": disable, "revoke": revoke, "secret": change_secret}
serve("idpyoidc", listener, application, "/userinfo", controls)
