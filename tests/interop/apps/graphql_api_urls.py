"""The schema of graphql_api.py at /graphql, and beside it:

GET  /whoami              the answer of the query `viewer`, after `?wait=MILLISECONDS`; 401 if the API gives an error
GET  /control/counts      how many refresh tokens it has accepted and refused, and how many were revoked
POST /control/address     the user `user` has the address `email`
POST /control/disable     the user `user` is no longer active
POST /control/revoke      every refresh token of the user `user` is revoked
POST /control/database    the database is `down`, or `up` again
"""

import json
import time

import graphene
import graphql_jwt
from django.contrib.auth.models import User
from django.db.utils import OperationalError
from django.dispatch import receiver
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from graphene_django.views import GraphQLView
from graphql_jwt.decorators import login_required
from graphql_jwt.refresh_token.models import RefreshToken
from graphql_jwt.refresh_token.signals import refresh_token_revoked, refresh_token_rotated

from common import Counts

counts = Counts()
database = {"is_down": False}


def active_users_refresh_token(refresh_token_model, token, context=None):
    """django-graphql-jwt itself gives a user who is not active new tokens, which the API then refuses."""
    return refresh_token_model.objects.get(token=token, revoked=None, user__is_active=True)


@receiver(refresh_token_rotated)
def end_the_old_one(sender, request, refresh_token, **kwargs):
    """As its documentation advises: a refresh token works once."""
    refresh_token.revoke(request)
    counts.add("refreshed")


@receiver(refresh_token_revoked)
def count_the_revoked(sender, **kwargs):
    counts.add("revoked")


def fail_if_the_database_is_down():
    if database["is_down"]:
        raise OperationalError("could not connect to server: Connection refused")


class Login(graphql_jwt.ObtainJSONWebToken):
    @classmethod
    def mutate(cls, *arguments, **fields):
        fail_if_the_database_is_down()
        return super().mutate(*arguments, **fields)


class Refresh(graphql_jwt.Refresh):
    @classmethod
    def mutate(cls, *arguments, **fields):
        fail_if_the_database_is_down()
        try:
            return super().mutate(*arguments, **fields)
        except Exception:
            counts.add("refused")
            raise


class Mutation(graphene.ObjectType):
    token_auth = Login.Field()
    refresh_token = Refresh.Field()
    revoke_token = graphql_jwt.Revoke.Field()


class Viewer(graphene.ObjectType):
    username = graphene.String()
    email = graphene.String()


class Query(graphene.ObjectType):
    viewer = graphene.Field(Viewer)

    @login_required
    def resolve_viewer(self, info):
        return info.context.user


schema = graphene.Schema(query=Query, mutation=Mutation)
graphql = csrf_exempt(GraphQLView.as_view())


def whoami(request):
    time.sleep(int(request.GET.get("wait", 0)) / 1000)
    request.method = "POST"
    request.META["CONTENT_TYPE"] = "application/json"
    request._body = json.dumps({"query": "{ viewer { username email } }"}).encode()
    answer = json.loads(graphql(request).content)
    return JsonResponse(answer, status=401 if "errors" in answer else 200)


def show_counts(request):
    return JsonResponse(counts.read())


@csrf_exempt
def change_address(request):
    User.objects.filter(username=request.GET["user"]).update(email=request.GET["email"])
    return HttpResponse(status=204)


@csrf_exempt
def disable(request):
    User.objects.filter(username=request.GET["user"]).update(is_active=False)
    return HttpResponse(status=204)


@csrf_exempt
def revoke(request):
    tokens = RefreshToken.objects.filter(user__username=request.GET["user"], revoked=None)
    tokens.update(revoked=timezone.now())
    return HttpResponse(status=204)


@csrf_exempt
def set_database(request):
    database["is_down"] = request.GET["state"] == "down"
    return HttpResponse(status=204)


urlpatterns = [
    path("control/address", change_address),
    path("control/counts", show_counts),
    path("control/database", set_database),
    path("control/disable", disable),
    path("control/revoke", revoke),
    path("graphql", graphql),
    path("whoami", whoami),
]
