"""Serves the project at http://localhost:PORT (9401), with two users: alice, who is staff, and bob. Passwords are the names."""

import os
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import django  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

django.setup()
call_command("migrate", verbosity=0)

from django.contrib.auth.models import Group, User  # noqa: E402

for name, groups in [("alice", ["staff"]), ("bob", [])]:
    user, made = User.objects.get_or_create(username=name, email=f"{name}@example.com", first_name=name.title())
    user.last_name, user.is_staff = "Example", "staff" in groups
    user.set_password(name)
    user.save()
    user.groups.set([Group.objects.get_or_create(name=group)[0] for group in ["user", *groups]])


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


port = int(os.environ.get("PORT", "9401"))
server = make_server("localhost", port, get_wsgi_application(), server_class=Server)
print(f"listens on http://localhost:{port}", flush=True)
server.serve_forever()
