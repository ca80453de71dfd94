FROM python:3.12-slim

WORKDIR /app
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY bot bot
COPY adapters adapters
COPY storage storage
RUN pip install --no-cache-dir -c requirements.lock ".[postgres]" \
    && useradd --system --uid 10001 --home-dir /data magpie \
    && install -d -o magpie /data

USER magpie
WORKDIR /data
VOLUME /data
# Inside a container only this address can be reached from outside; the page needs WEB_PASSWORD then.
ENV DATA_DIR=/data HTTP_HOST=0.0.0.0 HTTP_PORT=8080 PYTHONUNBUFFERED=1
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['HTTP_PORT'] + '/healthz', timeout=4)"]
CMD ["magpie", "run"]
