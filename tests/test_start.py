"""Starting the process: settings from the environment, the listing, and one-line refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from timeseries_project.env import SAMPLE_LISTING
from timeseries_project.tests.drawn import THOROUGH
from timeseries_project.tests.processes import ROOT


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py in a separate process, with only the given ones of the service's settings."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "BANDWIDTHS_", "CORS_", "API_", "MAX_", "RETENTION"))
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def shell(code: str, **environment: str) -> str:
    """Run code in Django's shell and return what it prints."""
    done = manage("shell", "--no-imports", "-c", code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_project_checks_clean() -> None:
    done = manage("check", "--fail-level", "WARNING")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "settings", [{}, {"HSTS_SECONDS": "31536000"}, {"TRUSTED_PROXIES": "1", "API_TOKENS": "a,b", "RATE_LIMIT": "9/s"}]
)
def test_it_is_fit_to_be_deployed(settings: dict[str, str]) -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", **settings)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("value", "count"), [("", 0), ("a", 1), (" a , b-._~+/== ,", 2)])
def test_tokens_are_read(value: str, count: int) -> None:
    assert shell("from django.conf import settings; print(len(settings.API_TOKENS))", API_TOKENS=value) == str(count)


@pytest.mark.parametrize(
    ("value", "rate"), [("1000/min", (1000, 60)), ("5/s", (5, 1)), (" 1 / hour ", (1, 3600)), ("7/day", (7, 86400))]
)
def test_rates_are_read(value: str, rate: tuple[int, int]) -> None:
    assert shell("from django.conf import settings; print(tuple(settings.RATE_LIMIT))", RATE_LIMIT=value) == str(rate)


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("", ()),
        ("*", ("*",)),
        (
            " HTTPS://Page.Example , http://localhost:3000,",
            ("https://page.example", "http://localhost:3000"),
        ),
        (
            "https://a.example:443,http://b:080,http://[::1]:8000,https://c:80",
            ("https://a.example", "http://b", "http://[::1]:8000", "https://c:80"),
        ),
    ],
)
def test_origins_are_read_as_browsers_spell_them(value: str, origins: tuple[str, ...]) -> None:
    assert shell("from django.conf import settings; print(settings.CORS_ORIGINS)", CORS_ORIGINS=value) == str(origins)


@pytest.mark.parametrize("value", ["se cret", "secret=x", "good,sécret", 'good,"secret"'])
def test_a_bad_token_is_not_shown(value: str) -> None:
    done = manage("check", API_TOKENS=value)
    assert done.returncode == 1
    assert "cret" not in done.stdout + done.stderr


@pytest.mark.parametrize(("proto", "header"), [("https", "max-age=60"), ("http", "None")])
def test_hsts_is_for_those_that_came_by_https(proto: str, header: str) -> None:
    code = (
        "from rest_framework.test import APIClient;"
        "headers = {'host': 'localhost', 'x-forwarded-proto': '%s'};"
        "print(APIClient().get('/healthz', headers=headers).headers.get('Strict-Transport-Security'))"
    )
    assert shell(code % proto, HSTS_SECONDS="60", TRUSTED_PROXIES="1") == header
    assert shell(code % proto, HSTS_SECONDS="60") == "None"


def test_the_defaults_are_closed() -> None:
    code = "from django.conf import settings as s; print(s.DEBUG, s.ALLOWED_HOSTS, len(s.SECRET_KEY), s.DATABASES)"
    assert shell(code) == "False ['127.0.0.1', 'localhost', '[::1]'] 50 {}"


def test_the_secret_key_is_new_at_each_start() -> None:
    code = "from django.conf import settings; print(settings.SECRET_KEY)"
    assert shell(code) != shell(code)
    assert shell(code, DJANGO_SECRET_KEY="kept") == "kept"


def test_the_start_loads_no_data_frames() -> None:
    """Arrow does so when it makes its first array, if it finds any: 40 MB that most servers never need."""
    code = "import sys, timeseries_project.urls as _; print('pandas' in sys.modules); import pandas"
    assert shell(code) == "False"


def test_the_settings_are_read() -> None:
    code = (
        "from django.conf import settings as s;print(s.DEBUG, s.ALLOWED_HOSTS, s.CLOCK_SKEW_SECONDS, s.MAX_BODY_BYTES)"
    )
    done = shell(
        code,
        DJANGO_DEBUG="True",
        DJANGO_ALLOWED_HOSTS="stats.example.org, .example.com,[fe80::1],*",
        CLOCK_SKEW_SECONDS="0",
        MAX_BODY_BYTES="1000",
    )
    assert done == "True ['stats.example.org', '.example.com', '[fe80::1]', '*'] 0 1000"


@pytest.mark.parametrize(("value", "read"), [("", ""), ("/", ""), ("/ts", "/ts"), (" /a/b-1/ ", "/a/b-1")])
def test_a_prefix_is_read(value: str, read: str) -> None:
    assert shell("from django.conf import settings; print(settings.ROOT_PATH + '.')", ROOT_PATH=value) == f"{read}."


def test_limits_and_retention_are_read() -> None:
    code = (
        "from datapoints.services import store as d; from bandwidth.services import store as b;"
        "from django.conf import settings as s;"
        "print(d.max_points, d.max_series, b.max_entries, b.max_devices, s.RETENTION_SECONDS)"
    )
    assert shell(code) == "50000000 1000000 50000000 1000000 None"
    chosen = {"MAX_DATAPOINTS": "3", "MAX_SERIES": "2000", "MAX_BANDWIDTH_ENTRIES": "4000", "RETENTION": " 90m "}
    assert shell(code, **chosen) == "3 2000 4000 2000 5400"


COUNT_ENTRIES = "from bandwidth import services; print(services.overview_get().entries)"


def test_a_listing_is_loaded_where_one_is_named() -> None:
    assert int(shell(COUNT_ENTRIES, BANDWIDTHS_FILE=SAMPLE_LISTING)) > 100
    assert shell(COUNT_ENTRIES) == shell(COUNT_ENTRIES, BANDWIDTHS_FILE="") == "0"


def test_a_listing_that_is_too_old_is_read_and_not_kept() -> None:
    assert shell(COUNT_ENTRIES, BANDWIDTHS_FILE=SAMPLE_LISTING, RETENTION="1s") == "0"


BAD_SETTINGS = [
    ("DJANGO_DEBUG", "maybe"),
    ("DJANGO_ALLOWED_HOSTS", "https://example.org"),
    ("DJANGO_ALLOWED_HOSTS", "example.org:8000"),
    ("CLOCK_SKEW_SECONDS", "-1"),
    ("CLOCK_SKEW_SECONDS", "301"),
    ("CLOCK_SKEW_SECONDS", "1.5"),
    ("CLOCK_SKEW_SECONDS", "٣"),
    ("MAX_BODY_BYTES", "0"),
    ("MAX_BODY_BYTES", "1e6"),
    ("MAX_BODY_BYTES", "9" * 5_000),
    ("LOG_FORMAT", "xml"),
    ("LOG_REQUESTS", "some"),
    ("API_TOKENS", ","),
    ("API_TOKENS", "a b"),
    ("API_TOKENS_FOR_READS", "true"),
    ("RATE_LIMIT", "1000"),
    ("RATE_LIMIT", "0/min"),
    ("RATE_LIMIT", "5/week"),
    ("TRUSTED_PROXIES", "11"),
    ("ROOT_PATH", "ts"),
    ("ROOT_PATH", "//ts"),
    ("ROOT_PATH", "/ts//x"),
    ("ROOT_PATH", "/ts/../x"),
    ("ROOT_PATH", "https://example.org/ts"),
    ("ROOT_PATH", "/ts'"),
    ("ROOT_PATH", '/ts"'),
    ("ROOT_PATH", "/ts?x"),
    ("ROOT_PATH", "/ts#x"),
    ("ROOT_PATH", "/t s"),
    ("ROOT_PATH", "/ts\x1b[31m"),
    ("ROOT_PATH", "/%74s"),
    ("ROOT_PATH", "/tś"),
    ("ROOT_PATH", "/" + "t" * 200),
    ("ROOT_PATH", "/api/ts"),
    ("CORS_ORIGINS", "example.org"),
    ("CORS_ORIGINS", "https://example.org/"),
    ("CORS_ORIGINS", "https://example.org/page"),
    ("CORS_ORIGINS", "https://*.example.org"),
    ("CORS_ORIGINS", "*,https://example.org"),
    ("CORS_ORIGINS", "ftp://example.org"),
    ("CORS_ORIGINS", "https://user@example.org"),
    ("CORS_ORIGINS", "https://example.org:65536"),
    ("CORS_ORIGINS", "https://exämple.org"),
    ("CORS_ORIGINS", "null"),
    ("HSTS_SECONDS", "1y"),
    ("BODY_TIMEOUT_SECONDS", "0"),
    ("SIGN_IN_HOURS", "0"),
    ("SIGN_IN_HOURS", "8761"),
    ("SEND_TIMEOUT_SECONDS", "3601"),
    ("MAX_DATAPOINTS", "0"),
    ("MAX_SERIES", "a million"),
    ("MAX_BANDWIDTH_ENTRIES", "-1"),
    ("RETENTION", "30"),
    ("RETENTION", "0s"),
    ("RETENTION", "1.5h"),
    ("RETENTION", "30d 12h"),
    ("RETENTION", "99999999999d"),
    ("BANDWIDTHS_FILE", "absent.py"),
    ("BANDWIDTHS_FILE", "README.md"),
]
COMMANDS = [("check",), ("runserver", "0"), ("runserver", "--noreload", "0")]
#: The short form of the suite gives each bad setting to one of the commands in turn, the thorough one to all.
STARTS = [
    (command, *setting)
    for place, setting in enumerate(BAD_SETTINGS)
    for command in (COMMANDS if THOROUGH else [COMMANDS[place % len(COMMANDS)]])
]


@pytest.mark.parametrize(("arguments", "name", "value"), STARTS)
def test_a_bad_setting_stops_the_start_with_one_line(arguments: tuple[str, ...], name: str, value: str) -> None:
    done = manage(*arguments, **{name: value})
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"{name}: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("setting", ["MAX_BANDWIDTH_ENTRIES", "MAX_SERIES"])
def test_a_listing_beyond_a_limit_stops_the_start_with_one_line(setting: str) -> None:
    done = manage("check", BANDWIDTHS_FILE=SAMPLE_LISTING, **{setting: "2"})
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("BANDWIDTHS_FILE: ")
    assert setting in line
    assert "2" in line


def test_the_suite_runs_as_djangos_own_test_command(tmp_path: Path) -> None:
    (tmp_path / "test_passes.py").write_text("def test_passes():\n    assert True\n")
    (tmp_path / "test_fails.py").write_text("def test_fails():\n    assert False\n")
    passing = manage("test", str(tmp_path / "test_passes.py"), "--parallel", "0")
    assert passing.returncode == 0, passing.stdout
    assert "1 passed" in passing.stdout
    assert manage("test", str(tmp_path), "--parallel", "0").returncode == 1


def test_the_first_requests_may_come_all_at_once() -> None:
    """Everything that is loaded on first use, above all the schema's extensions, is loaded once."""
    done = shell(
        "from concurrent.futures import ThreadPoolExecutor as Pool;"
        "from rest_framework.test import APIClient;"
        "paths = ['/api/schema/', '/api/schema/?format=json', '/devices', '/api/statistics'] * 4;"
        "import sys; sys.setswitchinterval(1e-5);"
        "get = lambda path: APIClient().get(path, headers={'host': '127.0.0.1'}).status_code;"
        "print(set(Pool(16).map(get, paths)))"
    )
    assert done == "{200}"
