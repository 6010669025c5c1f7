"""Django settings, all from environment variables; README.md lists them in a table."""

from pathlib import Path

from django.core.management.utils import get_random_secret_key

from timeseries_project import __version__, env
from timeseries_project.app_list import APPS
from timeseries_project.ops import logs

BASE_DIR = Path(__file__).resolve().parent.parent
# Templates and static files are beside the packages in the repository, but in this one in the wheel (pyproject.toml).
_WHEEL_FILES = BASE_DIR / "timeseries_project" / "files"
FILES_DIR = _WHEEL_FILES if _WHEEL_FILES.is_dir() else BASE_DIR

# Signs only the cookies of the sign-in page; with a random key they end with the process.
SECRET_KEY = env.text("DJANGO_SECRET_KEY", get_random_secret_key())
DEBUG = env.boolean("DJANGO_DEBUG", default=False)
ALLOWED_HOSTS = env.hosts("DJANGO_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")

BANDWIDTHS_FILE = env.text("BANDWIDTHS_FILE", "")  # the commands for development name the sample listing there
CLOCK_SKEW_SECONDS = env.integer("CLOCK_SKEW_SECONDS", 5, least=0, most=300)
LOG_FORMAT = env.choice("LOG_FORMAT", "text", logs.FORMATTERS)
LOG_REQUESTS = env.choice("LOG_REQUESTS", "errors", logs.LOGGED_FROM)
API_TOKENS = tuple(env.tokens("API_TOKENS"))
API_TOKENS_FOR_READS = env.boolean("API_TOKENS_FOR_READS", default=False)
if API_TOKENS_FOR_READS and not API_TOKENS:
    env.refuse("API_TOKENS_FOR_READS", "needs API_TOKENS, or nobody could read.")
SIGN_IN_HOURS = env.integer("SIGN_IN_HOURS", 12, least=1, most=8_760)
RATE_LIMIT = env.rate("RATE_LIMIT")
CORS_ORIGINS = tuple(env.origins("CORS_ORIGINS"))
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, least=0, most=10)
ROOT_PATH = env.prefix("ROOT_PATH")
MAX_DATAPOINTS = env.integer("MAX_DATAPOINTS", 50_000_000, least=1, most=10**10)
MAX_SERIES = env.integer("MAX_SERIES", 1_000_000, least=1, most=10**9)
MAX_BANDWIDTH_ENTRIES = env.integer("MAX_BANDWIDTH_ENTRIES", 50_000_000, least=1, most=10**15)
RETENTION_SECONDS = env.duration("RETENTION", most_days=36_600)
STORAGE = env.storage("STORAGE_URL")
STORAGE_TIMEOUT_SECONDS = env.integer("STORAGE_TIMEOUT_SECONDS", 2, least=1, most=60)
SNAPSHOT = env.snapshot("SNAPSHOT", shared=STORAGE is not None)
SNAPSHOT_SECONDS = env.integer("SNAPSHOT_SECONDS", 300, least=1, most=86_400)
MAX_BODY_BYTES = env.integer("MAX_BODY_BYTES", 32 * 2**20, least=1, most=2**40)
BODY_TIMEOUT_SECONDS = env.integer("BODY_TIMEOUT_SECONDS", 60, least=1, most=3_600)
SEND_TIMEOUT_SECONDS = env.integer("SEND_TIMEOUT_SECONDS", 30, least=1, most=3_600)

# The load balancer speaks plain HTTP with this process; the header says whether the client came by HTTPS.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = env.integer("HSTS_SECONDS", 0, least=0, most=10 * 366 * 86_400)
SILENCED_SYSTEM_CHECKS = [
    "security.W001",  # SecurityMiddleware: Middleware asks it once, and sets its headers with those of every answer
    "security.W002",  # X-Frame-Options: the same
    "security.W003",  # CSRF: no form can send JSON, NDJSON, CSV or Arrow; the sign-in page checks the origin
    "security.W004",  # HSTS: HSTS_SECONDS sets it; a service that is also reached by plain HTTP must not have it
    "security.W005",  # HSTS for subdomains: one service cannot decide for the others
    "security.W008",  # HTTPS redirect: the load balancer, where TLS ends, does it
    "security.W021",  # HSTS preload: as for subdomains
]

INSTALLED_APPS = [
    "timeseries_project",  # for its management commands; its runserver goes before WhiteNoise's
    "whitenoise.runserver_nostatic",  # before staticfiles, whose own handler answers a missing file with HTML
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "chartkick.django",
    "timeseries_project.storage",  # before the apps: it sees to the layout of their keys before any of them uses it
    *APPS,
    "timeseries_project.snapshots",  # after those whose data it reads at start
]
MIDDLEWARE = ["timeseries_project.middleware.Middleware"]
ROOT_URLCONF = "timeseries_project.urls"
WSGI_APPLICATION = "timeseries_project.wsgi.application"
DATABASES: dict[str, object] = {}
TEST_RUNNER = "timeseries_project.management.pytest_runner.PytestRunner"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [FILES_DIR / "templates"],  # before those of the apps: ours override the framework's
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "timeseries_project.web.pages.base",
                "timeseries_project.web.sign_in.context",
                "timeseries_project.web.dashboard.navigation",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [FILES_DIR / "static"]
# Where `make serve` has collected them. Elsewhere they are served from where they lie, with debug on or off.
STATIC_ROOT = env.text("STATIC_ROOT", "") or None
STORAGES = {
    "staticfiles": {
        "BACKEND": f"timeseries_project.web.static_files.{'CollectedFiles' if STATIC_ROOT else 'StaticFiles'}"
    }
}
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_ALLOW_ALL_ORIGINS = False

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
APPEND_SLASH = False

REST_FRAMEWORK = {
    "DEFAULT_PARSER_CLASSES": ["timeseries_project.api.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "timeseries_project.api.renderers.JSONRenderer",
        "timeseries_project.api.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "timeseries_project.api.negotiation.ContentNegotiation",
    "DEFAULT_AUTHENTICATION_CLASSES": ["timeseries_project.api.access.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["timeseries_project.api.access.HasToken"],
    "DEFAULT_THROTTLE_CLASSES": ["timeseries_project.api.throttling.RateThrottle"],
    "DEFAULT_SCHEMA_CLASS": "timeseries_project.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "timeseries_project.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,  # without django.contrib.auth there is no anonymous user
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Time-series statistics",
    "DESCRIPTION": "Averages, windows and sliding statistics of live time series, kept in memory.",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "description": "One of API_TOKENS, if the service has any."}
        }
    },
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "PREPROCESSING_HOOKS": ["timeseries_project.api.schema.without_trailing_slashes"],
    "ENUM_NAME_OVERRIDES": {
        "AggregateEnum": "datapoints.statistics.Aggregate",
        "FillEnum": "datapoints.statistics.Fill",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"reason": {"()": logs.ReasonFilter}},
    "formatters": {"line": {"()": logs.FORMATTERS[LOG_FORMAT]}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    # The client of a refused request gets the reason, so the log leaves it out. Failures are logged where they occur.
    "loggers": {
        "django": {"handlers": [], "level": "ERROR", "propagate": True},
        "django.request": {"filters": ["reason"]},
        "timeseries_project.requests": {"level": "INFO"},
        "timeseries_project.serving.workers": {"level": "INFO"},
        "timeseries_project.storage.starting": {"level": "INFO"},
    },
}
