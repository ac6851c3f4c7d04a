"""django-oauth-toolkit as an OpenID provider with Django's own login, and tokens that live for seconds.

    python django_oauth.py '{ "redirect_uri": …, "access_token_ttl": SECONDS, "grace": SECONDS }'

It prints `http://127.0.0.1:PORT`. django_oauth_urls.py has its routes.
"""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from common import configure, create_tables_and_users, options, serve


def signing_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, pkcs8, serialization.NoEncryption()).decode()


def register_the_client():
    from oauth2_provider.models import Application

    Application.objects.create(
        name="Vestibule",
        client_id="vestibule",
        client_secret="of-a-test-and-of-nothing-else",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        algorithm=Application.RS256_ALGORITHM,
        redirect_uris=options["redirect_uri"],
        post_logout_redirect_uris=options["post_logout_redirect_uri"],
    )


configure(
    "django_oauth_urls",
    ["oauth2_provider"],
    LOGIN_URL="/accounts/login/",
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": options["access_token_ttl"],
        "OAUTH2_VALIDATOR_CLASS": "django_oauth_urls.Validator",
        "OIDC_ENABLED": True,
        "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,  # it asks only whom no hint names
        "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": signing_key(),
        "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": options["grace"],
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "ROTATE_REFRESH_TOKEN": True,
        "SCOPES": {"openid": "who you are", "profile": "your name", "email": "your address"},
    },
)
create_tables_and_users()
register_the_client()
serve("django-oauth-toolkit")
