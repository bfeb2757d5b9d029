# One image a part: docker build --target train|serve|gateway|mlflow .
# Training on GPUs: docker build --target train --build-arg TENSORFLOW='tensorflow[and-cuda]' .
# What runs is a virtual environment on the base image's Python; compilers, uv and its cache stay
# behind. Nothing is written at run time but in $GYRUS_HOME and /tmp, so the root can be read-only.

ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS tools
ARG UV=0.13.9
ARG CYCLONEDX=7.5.0
# Bytecode is made here because a read-only root keeps none: every start would make it again. What
# is trimmed is for others: packages' own tests, headers for compilers, Ray's part for Java.
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/gyrus \
    INSTALL="uv pip install --constraint constraints.txt --requirements pyproject.toml --extra" \
    SBOM="uv tool run --from cyclonedx-bom==${CYCLONEDX} cyclonedx-py environment /opt/gyrus --output-file /opt/gyrus/sbom.cdx.json" \
    TRIM="find /opt/gyrus -type d ( -name tests -o -name include -o -name jars ) -prune -exec rm -r {} +"
RUN pip install --no-cache-dir --disable-pip-version-check "uv==${UV}" \
    && uv venv --python /usr/local/bin/python3 /opt/gyrus
WORKDIR /src
COPY pyproject.toml constraints.txt ./


# Dependencies first, so that a change of our own code builds in seconds.

FROM tools AS build-train
# What takes the place of tensorflow-cpu, in the same version, on x86-64.
ARG TENSORFLOW=tensorflow-cpu
RUN sed -i "s/tensorflow-cpu\([=>]=\)/${TENSORFLOW}\1/" pyproject.toml constraints.txt && $INSTALL train
COPY . .
RUN uv pip install --no-deps . && $SBOM && $TRIM

FROM tools AS build-serve
RUN $INSTALL serve
COPY . .
RUN uv pip install --no-deps . && $SBOM && $TRIM

FROM tools AS build-gateway
RUN $INSTALL gateway
COPY . .
RUN uv pip install --no-deps . && $SBOM && $TRIM

FROM tools AS build-mlflow
RUN $INSTALL mlflow && $SBOM && $TRIM


FROM ${PYTHON} AS run
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# Ray and Python's getpass want a user with a name.
RUN groupadd --gid 10001 gyrus \
    && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin gyrus
ENV PATH=/opt/gyrus/bin:$PATH HOME=/tmp GYRUS_HOME=/var/lib/gyrus \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    RAY_USAGE_STATS_ENABLED=0 MLFLOW_DISABLE_TELEMETRY=true
RUN install --directory --owner 10001 --group 10001 /var/lib/gyrus
WORKDIR /var/lib/gyrus
USER 10001:10001


FROM run AS train
LABEL org.opencontainers.image.title="gyrus-train" \
    org.opencontainers.image.description="Trains brain-MRI tumour classifiers inside a Ray cluster"
ENV RAY_TRAIN_V2_ENABLED=1
COPY --from=build-train /opt/gyrus /opt/gyrus
CMD ["python", "-m", "training_jobs", "--help"]

FROM run AS serve
LABEL org.opencontainers.image.title="gyrus-serve" \
    org.opencontainers.image.description="Classifies and explains brain MRI inside a Ray cluster"
ENV RAY_SERVE_ENABLE_HA_PROXY=1
COPY --from=build-serve /opt/gyrus /opt/gyrus
CMD ["ray", "--help"]

FROM run AS gateway
LABEL org.opencontainers.image.title="gyrus-gateway" \
    org.opencontainers.image.description="Gyrus' REST API and web page"
ENV GYRUS_HOST=0.0.0.0
COPY --from=build-gateway /opt/gyrus /opt/gyrus
EXPOSE 8000
CMD ["python", "-m", "frontend_api"]

FROM run AS mlflow
LABEL org.opencontainers.image.title="gyrus-mlflow" \
    org.opencontainers.image.description="MLflow's server: Gyrus' model registry"
ENV MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
COPY --from=build-mlflow /opt/gyrus /opt/gyrus
EXPOSE 5000
CMD ["mlflow", "server", "--host", "0.0.0.0", "--workers", "1"]
