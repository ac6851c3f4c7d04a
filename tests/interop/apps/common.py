"""What the two Django sites share: settings, a database in a folder that ends with the process, and a server."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from wsgiref.simple_server import make_server

import django
from common_wsgi import Counts, Quiet, Server, options
from django.conf import settings

LOGIN = """<form method="post">{% csrf_token %}{{ form.as_p }}<button>Sign in</button></form>"""


def configure(module, apps, **more):
    """Sets Django up with these further apps and settings. The URLs are those of `module`."""
    folder = tempfile.mkdtemp(prefix="vestibule-interop-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # The test ends this process with a signal, and the folder has to go, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    apps = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", *apps]
    loaders = [
        ("django.template.loaders.locmem.Loader", {"registration/login.html": LOGIN}),
        "django.template.loaders.app_directories.Loader",
    ]
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.path.join(folder, "db.sqlite3"),
                "CONN_MAX_AGE": 0,
                "OPTIONS": {
                    "timeout": 20,
                    # As a database that locks rows: of two transactions that write, the second one waits.
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA journal_mode=wal; PRAGMA synchronous=off;",
                },
            }
        },
        INSTALLED_APPS=apps,
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        # The tables are made from the models, which takes a tenth of the time of all migrations.
        MIGRATION_MODULES={app.rpartition(".")[2]: None for app in apps},
        # As fast as a test may be.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF=module,
        SECRET_KEY="of a test, and long enough for a key of HS256",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": loaders,
                    "context_processors": ["django.template.context_processors.request"],
                },
            }
        ],
        USE_TZ=True,
        **more,
    )
    django.setup()


def create_tables_and_users():
    """Makes the tables, and the users ada and bob, whose passwords are their names."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)
    for name in ["ada", "bob"]:
        User.objects.create_user(name, f"{name}@example.com", name)


def serve(name):
    """Serves on a free port, which it prints."""
    from django.core.wsgi import get_wsgi_application

    server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
    print(f"{name} at http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
