"""Django settings, all from environment variables; README.md has the table."""

from pathlib import Path

from django.core.management.utils import get_random_secret_key

from timeseries_project import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent

# Nothing signed outlives the process, so a key made at its start is as good as a kept one.
SECRET_KEY = env.text("DJANGO_SECRET_KEY", get_random_secret_key())
DEBUG = env.boolean("DJANGO_DEBUG", default=False)
ALLOWED_HOSTS = env.hosts("DJANGO_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")

BANDWIDTHS_FILE = env.text("BANDWIDTHS_FILE", str(BASE_DIR / "bandwidth" / "sample" / "bandwidths.py"))
CLOCK_SKEW_SECONDS = env.integer("CLOCK_SKEW_SECONDS", 5, least=0, most=300)
LOG_FORMAT = env.choice("LOG_FORMAT", "text", logs.FORMATTERS)
LOG_REQUESTS = env.choice("LOG_REQUESTS", "errors", logs.LOGGED_FROM)
MAX_BODY_BYTES = env.integer("MAX_BODY_BYTES", 32 * 2**20, least=1, most=2**40)
MAX_DATAPOINTS = env.integer("MAX_DATAPOINTS", 50_000_000, least=1, most=2**40)
MAX_SERIES = env.integer("MAX_SERIES", 1_000_000, least=1, most=2**31 - 1)
MAX_BANDWIDTH_ENTRIES = env.integer("MAX_BANDWIDTH_ENTRIES", 50_000_000, least=1, most=2**40)

INSTALLED_APPS = [
    "whitenoise.runserver_nostatic",  # before staticfiles: its own handler answers HTML for a missing file
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "chartkick.django",
    "timeseries_project",  # for its commands
    "datapoints",
    "bandwidth",
    "transactions",
]
MIDDLEWARE = [
    "timeseries_project.observation.ObservationMiddleware",  # first: it sees what the others answer
    "django.middleware.security.SecurityMiddleware",
    "timeseries_project.api.middleware.HeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "timeseries_project.api.middleware.RequestGuardMiddleware",
]
ROOT_URLCONF = "timeseries_project.urls"
WSGI_APPLICATION = "timeseries_project.wsgi.application"
DATABASES: dict[str, object] = {}
TEST_RUNNER = "timeseries_project.testing.PytestRunner"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],  # before the apps' own: ours override those of the framework
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # no collectstatic is needed, debug on or off

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
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "timeseries_project.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "timeseries_project.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,  # there is no django.contrib.auth to take the anonymous user from
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Time-series statistics",
    "DESCRIPTION": "Averages, windows and sliding statistics of live time series, kept in memory.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
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
    # A refused request is answered with its reason; it is not news for the log. Failures log themselves.
    "loggers": {
        "django": {"handlers": [], "level": "ERROR", "propagate": True},
        "django.request": {"filters": ["reason"]},
        "timeseries_project.requests": {"level": "INFO"},
    },
}
