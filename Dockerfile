# One image for a laptop, and for head and workers of a Ray cluster (deploy/README.md).
#
# docker build -t tuner .
# docker run --rm --shm-size=1g -v "$PWD:/search" -u "$(id -u)" tuner search search_spaces/quickstart.yaml

FROM python:3.12-slim AS build
WORKDIR /build
RUN python -m venv /opt/tuner
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml constraints.txt README.md ./
COPY tuner ./tuner
RUN /opt/tuner/bin/pip install -c constraints.txt '.[cluster,s3]'

FROM python:3.12-slim
# A head that `ray up` started starts workers over ssh and fills containers with rsync; KubeRay before 1.6 looks with
# wget whether Ray is well.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openssh-client rsync wget \
    && rm -rf /var/lib/apt/lists/*
# 1000 owns the files that `ray up` mounts from Ubuntu hosts. Any other user can use HOME, too: Ray keeps its token there.
RUN useradd --uid 1000 --create-home --home-dir /var/lib/tuner tuner \
    && install --directory --mode=1777 /search /var/cache/tuner /var/lib/tuner
COPY --from=build /opt/tuner /opt/tuner
ENV HOME=/var/lib/tuner PATH=/opt/tuner/bin:$PATH TUNER_CACHE=/var/cache/tuner PYTHONUNBUFFERED=1
# As Tuner sets them for a Ray of its own, and cannot for one that it joins: nothing is sent to Ray's makers, trials
# that asked for no GPU see none, and the kernel ends a process that takes too much memory, not Ray.
ENV RAY_USAGE_STATS_ENABLED=0 RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=1 RAY_memory_monitor_refresh_ms=0
# `ray up` runs its commands in login shells, which forget the PATH of an image.
RUN echo 'PATH=/opt/tuner/bin:$PATH' > /etc/profile.d/tuner.sh
WORKDIR /search
COPY search_spaces ./search_spaces
USER tuner
# `ray up` starts containers with `bash`: deploy/cluster.yaml empties the entrypoint. KubeRay sets a command of its own.
ENTRYPOINT ["tuner"]
CMD ["--help"]
