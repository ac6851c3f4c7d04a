"""A whole Django project in one file. `python django_app.py [behind-proxy]` prints its port."""

import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.urls import path, re_path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
    LANGUAGES=[("en", "English"), ("de", "German")],
    LANGUAGE_CODE="en",
    CSRF_FAILURE_VIEW=f"{__name__}.refused",
    MIDDLEWARE=[
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
)
if sys.argv[1:] == ["behind-proxy"]:
    settings.USE_X_FORWARDED_HOST = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def public(request):
    return HttpResponse("public page")


def guarded(request):
    return HttpResponse("guarded page")


def refused(request, reason=""):
    return HttpResponse(reason, status=403)


def form(request):
    if request.method == "POST":
        return HttpResponse("transferred")
    return HttpResponse(get_token(request))


urlpatterns = [
    path("", public),
    path("about", public),
    path("form/", form),
    path("admin", guarded),
    path("admin/", guarded),
    path("admin/users/", guarded),
    # As Django REST framework's format_suffix_patterns writes it, with the formats of its renderers.
    re_path(r"^admin\.(?:json|api|html|csv|xml|yaml)/?$", guarded),
    *i18n_patterns(path("admin/", guarded)),
]


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
