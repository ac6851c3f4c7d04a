"""A GraphQL API of graphene-django, whose users sign in with django-graphql-jwt, and tokens that live for seconds.

    python graphql_api.py '{ "access_token_ttl": SECONDS }'

It prints `http://127.0.0.1:PORT`. graphql_api_urls.py has its routes and its schema.
"""

from datetime import timedelta

from common import configure, create_tables_and_users, options, serve

configure(
    "graphql_api_urls",
    ["graphene_django", "graphql_jwt.refresh_token"],
    AUTHENTICATION_BACKENDS=[
        "graphql_jwt.backends.JSONWebTokenBackend",
        "django.contrib.auth.backends.ModelBackend",
    ],
    GRAPHENE={"SCHEMA": "graphql_api_urls.schema", "MIDDLEWARE": ["graphql_jwt.middleware.JSONWebTokenMiddleware"]},
    GRAPHQL_JWT={
        "JWT_AUTH_HEADER_PREFIX": "Bearer",
        "JWT_EXPIRATION_DELTA": timedelta(seconds=options["access_token_ttl"]),
        "JWT_GET_REFRESH_TOKEN_HANDLER": "graphql_api_urls.active_users_refresh_token",
        "JWT_LONG_RUNNING_REFRESH_TOKEN": True,
        "JWT_VERIFY_EXPIRATION": True,
    },
)
create_tables_and_users()
serve("django-graphql-jwt")
