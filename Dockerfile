# twin in a container: `twin up`, by a user who is not root, on a root file system that may be read-only.
#   docker build -t twin .                                   pip's own torch: CUDA, and CPUs too (about 3 GB more)
#   docker build -t twin --build-arg TORCH_INDEX=<address> . the build of torch that pytorch.org shows for yours
# compose.yaml beside this file runs it; docs/running.md tells how.

FROM debian:bookworm-slim AS build
# Debian's security updates are wanted, whatever their numbers.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off
RUN python3 -m venv /opt/twin
WORKDIR /src
COPY constraints.txt ./
ARG TORCH_INDEX=""
RUN /opt/twin/bin/python -m pip install -c constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX" --no-deps} torch
COPY pyproject.toml README.md LICENSE ./
COPY twin twin
COPY ingest ingest
COPY training training
COPY inference inference
COPY bot bot
RUN /opt/twin/bin/python -m pip install -c constraints.txt '.[ml,llamacpp,serve,encryption]'

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 libgomp1 \
    && rm -rf /var/lib/apt/lists/*
# Whoever owns the home on the host, if it is a folder there: --build-arg USER_ID="$(id -u)".
ARG USER_ID=1000
RUN useradd --uid "$USER_ID" --user-group --no-create-home --home-dir /var/lib/twin --shell /usr/sbin/nologin twin \
    && install -d -m 700 -o twin -g twin /var/lib/twin /var/cache/twin
COPY --from=build /opt/twin /opt/twin
ENV PATH=/opt/twin/bin:$PATH \
    PYTHONSAFEPATH=1 \
    TWIN_HOME=/var/lib/twin \
    TWIN_CACHE=/var/cache/twin \
    HF_HOME=/var/cache/twin/huggingface \
    MPLCONFIGDIR=/var/cache/twin/matplotlib \
    CUDA_CACHE_PATH=/var/cache/twin/cuda \
    TRITON_CACHE_DIR=/var/cache/twin/triton
USER twin
WORKDIR /var/lib/twin
VOLUME ["/var/lib/twin", "/var/cache/twin"]
# A server, or worker and bot both, are among the processes; the supervisor starts again what crashes.
HEALTHCHECK --interval=60s --timeout=10s --start-period=60s --retries=3 CMD ["sh", "-c", \
    "cd /proc; grep -qszx '[s]erve' [0-9]*/cmdline || { grep -qszx '[b]ot' [0-9]*/cmdline && grep -qszx '[w]orker' [0-9]*/cmdline; }"]
ENTRYPOINT ["twin"]
CMD ["up"]
