# The service as an image: the rooms in /app with their environment, run by an account of no rights.
#
#   docker build -t agent-squad:local .
#   docker run --rm -e SQUAD_DATABASE_URL=… -e SQUAD_KAFKA_BOOTSTRAP_SERVERS=… agent-squad:local migrate

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS builder
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
# pip and the build backend stay in /build, which the image never sees. Wheels only: nothing is compiled here.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python3 -m venv /build \
    && python3 -m venv --without-pip .venv \
    && /build/bin/pip install --require-hashes --only-binary=:all: -r requirements/build.txt \
    && /build/bin/pip --python .venv/bin/python install --require-hashes --only-binary=:all: -r requirements/runtime.txt
# What .dockerignore lets through: the rooms and what describes them. The rooms run from here, so that `squad` and
# its metadata come from an editable wheel. They are compiled now, for the account that runs them writes nothing.
COPY . .
RUN /build/bin/hatchling build -t wheel:editable -d /build/dist \
    && /build/bin/pip --python .venv/bin/python install --no-deps --no-index /build/dist/*.whl \
    && .venv/bin/python -m compileall -q --invalidation-mode unchecked-hash -x '/\.venv/' .

FROM ${BASE}
RUN groupadd --system --gid 10001 squad \
    && useradd --system --uid 10001 --gid squad --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin squad
COPY --from=builder /app /app
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
# With SQUAD_MONITORING_PORT=9464 and SQUAD_MONITORING_ADDRESS=0.0.0.0: /metrics, /healthz, /readyz.
EXPOSE 9464
ENTRYPOINT ["squad"]
CMD ["--help"]
