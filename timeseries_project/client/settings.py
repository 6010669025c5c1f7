"""Settings of the client commands: without the apps, so they read no listing and start quickly."""

INSTALLED_APPS = ["timeseries_project"]
USE_TZ = True
USE_I18N = False
