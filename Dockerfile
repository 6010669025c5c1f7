# An image of the service: `docker build -t timeseries-statistics .`; docs/operations.md says how to run it.
# The Python is the one that the tests run with, on the Debian that they run on.
FROM python:3.11.14-slim-bookworm AS build

WORKDIR /src
RUN python -m venv /opt/timeseries-statistics
# First what changes seldom, so that a change of the code builds only what comes after it.
COPY requirements-run.txt ./
RUN /opt/timeseries-statistics/bin/pip install --no-cache-dir -r requirements-run.txt
COPY . ./
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && /opt/timeseries-statistics/bin/pip install --no-cache-dir /wheels/*.whl


FROM python:3.11.14-slim-bookworm

# For any processor of the kind that builds. Where all have more, name what they have: `x86-64-v3` is those since 2013.
ARG NUMBA_CPU_NAME=generic
# Kernels and static files are outside of any home, and are only read: the file system may be read-only, and the user any.
ENV PATH=/opt/timeseries-statistics/bin:$PATH \
    NUMBA_CACHE_DIR=/opt/timeseries-statistics/kernels \
    XDG_CACHE_HOME=/opt/timeseries-statistics/cache \
    NUMBA_CPU_NAME=$NUMBA_CPU_NAME \
    NUMBA_CPU_FEATURES="" \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8000

COPY --from=build /opt/timeseries-statistics /opt/timeseries-statistics
RUN timeseries-statistics compile

# nobody, by number: so it can be told from outside that it is not root.
USER 65534:65534
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["timeseries-statistics", "health"]
CMD ["timeseries-statistics", "serve"]
