# Two stages: build with what building needs, run with what running needs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /source
RUN python -m venv /venv
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY monitor monitor
COPY probes probes
COPY migrations migrations
RUN /venv/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.11-slim-bookworm
# tini is PID 1: it passes on signals and buries what the embedded server leaves behind.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/recallwatch --create-home recallwatch
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 RECALLWATCH_CONFIG=/etc/recallwatch/recallwatch.yaml
USER recallwatch
WORKDIR /var/lib/recallwatch
VOLUME /var/lib/recallwatch
EXPOSE 9464
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]
ENTRYPOINT ["tini", "--", "recallwatch"]
CMD ["serve"]
