# docker build --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" --tag scanbind .
# With this argument the image has the same wheel, byte for byte, as `make wheel` builds.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/scanbind
COPY requirements.lock ./
RUN pip --python /opt/scanbind/bin/python install --no-cache-dir --require-hashes --requirement requirements.lock
COPY . ./
ARG SOURCE_DATE_EPOCH
RUN /opt/scanbind/bin/python -m tools.wheel dist \
    && pip --python /opt/scanbind/bin/python install --no-cache-dir --no-deps dist/*.whl

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="scanbind" \
      org.opencontainers.image.description="Scan with WeChat: log in, register, bind an account, and disconnect it" \
      org.opencontainers.image.licenses="MIT"
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/scanbind \
    && install --directory /etc/scanbind
COPY --from=build /opt/scanbind /opt/scanbind
ENV PATH="/opt/scanbind/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    SCANBIND_DATA_DIR=/var/lib/scanbind \
    SCANBIND_SERVER__HOST=0.0.0.0 \
    TMPDIR=/var/lib/scanbind
# where config.yaml is read; the one folder that is written is the volume
WORKDIR /etc/scanbind
# By number: Kubernetes cannot tell whether a name is root.
USER 10001:10001
VOLUME ["/var/lib/scanbind"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=30s --interval=15s --timeout=5s CMD ["python", "-m", "service.server.liveness"]
ENTRYPOINT ["scanbind"]
CMD ["serve"]
