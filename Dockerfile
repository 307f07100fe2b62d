# docker build -t tuner .
# docker run --rm --shm-size=1g -v "$PWD:/search" -u "$(id -u)" tuner search search_spaces/quickstart.yaml

FROM python:3.12-slim AS build
WORKDIR /build
RUN python -m venv /opt/tuner
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml constraints.txt README.md ./
COPY tuner ./tuner
RUN /opt/tuner/bin/pip install -c constraints.txt .

FROM python:3.12-slim
RUN useradd --create-home tuner
COPY --from=build /opt/tuner /opt/tuner
ENV PATH=/opt/tuner/bin:$PATH TUNER_CACHE=/var/cache/tuner PYTHONUNBUFFERED=1
RUN install --directory --mode=1777 /search /var/cache/tuner
WORKDIR /search
COPY search_spaces ./search_spaces
USER tuner
ENTRYPOINT ["tuner"]
CMD ["--help"]
