"""A token that says who the user is, one route of the API, and two pages."""

from django.shortcuts import render
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer
from rest_framework_simplejwt.views import TokenObtainPairView


class StaffTokenSerializer(TokenObtainPairSerializer):
    @classmethod
    def get_token(cls, user):
        token = super().get_token(user)
        token["name"] = user.get_full_name()
        token["email"] = user.email
        token["roles"] = list(user.groups.values_list("name", flat=True))
        token["isAdmin"] = user.is_staff
        return token


class StaffTokenView(TokenObtainPairView):
    serializer_class = StaffTokenSerializer


@api_view()
def orders(request):
    """The orders, and the token that came with the request."""
    return Response({"orders": [f"order of {request.user.username}"], "token": request.auth["jti"]})


def home(request):
    return render(request, "home.html", {"host": request.headers.get("X-Forwarded-Host", "")})


def page(request):
    """A page that knows its reader from what Vestibule sends."""
    user = {"email": request.headers.get("X-User-Email"), "roles": request.headers.get("X-User-Roles", "")}
    return render(request, "orders.html", user)
