# syntax=docker/dockerfile:1
# The product: `thv` and what it starts. Built where an image builder is:
#   docker buildx build --sbom=true --provenance=true -t toolhive-registry:0.2.0 .
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-trixie AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY requirements/run.txt requirements/run.txt
COPY image/install.sh image/install.sh
COPY src src
RUN image/install.sh python3 /source /opt/toolhive-registry

FROM python:${PYTHON}-slim-trixie
LABEL org.opencontainers.image.title="toolhive-registry" \
      org.opencontainers.image.description="A registry and catalog for MCP servers" \
      org.opencontainers.image.licenses="Apache-2.0"
# Sources in Git are read by git itself, over TLS and SSH.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git openssh-client \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/toolhive-registry /opt/toolhive-registry
ENV PATH=/opt/toolhive-registry/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Writes go to /data and /tmp, which a pod mounts; the rest may be read only.
USER 65532:65532
WORKDIR /
ENTRYPOINT ["thv"]
