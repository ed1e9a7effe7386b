# One image for every role: API, orchestrator, runner, Flower, migrations. Which one it is, the command says.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/buildserver
COPY requirements.lock ./
RUN /opt/buildserver/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY . ./
RUN /opt/buildserver/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.13-slim
# Steps are bash scripts that check out their commit with git.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bash ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/buildserver --create-home buildserver
COPY --from=build /opt/buildserver /opt/buildserver
ENV PATH=/opt/buildserver/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    BUILDSERVER_DATA_DIR=/var/lib/buildserver \
    BUILDSERVER_HOST=0.0.0.0 \
    BUILDSERVER_LOG_JSON=true
USER buildserver
WORKDIR /var/lib/buildserver
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:3000/healthz', timeout=4)"]
CMD ["gunicorn", "--config", "python:config.gunicorn", "app.wsgi:create()"]
