"""Settings of the commands that speak to a running server: no apps, so no listing is read and the start is quick."""

INSTALLED_APPS = ["timeseries_project"]
USE_TZ = True
USE_I18N = False
