"""The routes of django_oauth.py. Beside the provider's own, which are below /o/:

GET  /whoami              its userinfo endpoint, after `?wait=MILLISECONDS`
GET  /control/counts      how many refresh tokens it has accepted and refused, and how many tokens were revoked
POST /control/address     the user `user` has the address `email`
POST /control/disable     the user `user` is no longer active
POST /control/revoke      every token of the user `user` is revoked
"""

import time

from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.models import RefreshToken
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.views import RevokeTokenView, TokenView, UserInfoView

from common import Counts

counts = Counts()


class Validator(OAuth2Validator):
    oidc_claim_scope = {**OAuth2Validator.oidc_claim_scope, "preferred_username": "profile"}

    def get_additional_claims(self):
        return {
            "preferred_username": lambda request: request.user.username,
            "email": lambda request: request.user.email,
        }

    def validate_refresh_token(self, refresh_token, client, request, *args, **kwargs):
        """django-oauth-toolkit itself gives a user who is not active new tokens for ever."""
        is_valid = super().validate_refresh_token(refresh_token, client, request, *args, **kwargs)
        return is_valid and request.user.is_active


@csrf_exempt
def token(request):
    response = TokenView.as_view()(request)
    if request.POST.get("grant_type") == "refresh_token":
        counts.add("refreshed" if response.status_code == 200 else "refused")
    return response


@csrf_exempt
def revoke_token(request):
    response = RevokeTokenView.as_view()(request)
    if response.status_code == 200:
        counts.add("revoked")
    return response


def whoami(request):
    time.sleep(int(request.GET.get("wait", 0)) / 1000)
    return UserInfoView.as_view()(request)


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
    for refresh_token in RefreshToken.objects.filter(user__username=request.GET["user"], revoked=None):
        refresh_token.revoke()
    return HttpResponse(status=204)


urlpatterns = [
    path("accounts/login/", LoginView.as_view()),
    path("control/address", change_address),
    path("control/counts", show_counts),
    path("control/disable", disable),
    path("control/revoke", revoke),
    path("o/token/", token),
    path("o/revoke_token/", revoke_token),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("whoami", whoami),
]
