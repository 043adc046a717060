# The command line as an image, from the wheel in dist/ and the wheels of its requirements in wheels/:
# the job `image` of .github/workflows/release.yml puts both there. Nothing is fetched but git.
#
#   docker run --rm -v "$PWD:/project" -e RUNAI_CLIENT_ID -e RUNAI_CLIENT_SECRET IMAGE plan
#
# By tag, not by digest: a release is to have the security fixes of its day, and the image's
# attestation names what it was built from.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
USER root
COPY wheels /wheels
COPY dist/*.whl /wheels/
RUN python3 -m venv /opt/reconciler \
  && /opt/reconciler/bin/pip install --no-cache-dir --no-index --find-links /wheels reconciler

FROM ${BASE}
USER root
RUN command -v git || { apt-get update -q && apt-get install -y -q --no-install-recommends git \
  && rm -rf /var/lib/apt/lists/*; }
COPY --from=build /opt/reconciler /opt/reconciler
# The mounted project belongs to another user; git reads such a directory only if it is named.
RUN git config --system --add safe.directory /project
ENV PATH=/opt/reconciler/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /project
ENTRYPOINT ["reconcile"]
