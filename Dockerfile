# All of xmlperf in one image: the program, valgrind, git and what its scripts use. Built by the release workflow
# from the package of a release (.github/release/image.sh):
#
#   docker build --file Dockerfile dist/package-x86_64-unknown-linux-musl
ARG BASE=debian:12-slim
FROM ${BASE}

RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl git jq valgrind \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home xmlperf

COPY xmlperf gitlab-note.sh /usr/local/bin/
COPY completions/xmlperf.bash /usr/share/bash-completion/completions/xmlperf
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/xmlperf/

# What is mounted here belongs to another user often, and git reads it all the same.
RUN git config --system --add safe.directory '*' \
    && mkdir /work && chown xmlperf:xmlperf /work

USER 1000:1000
WORKDIR /work
ENTRYPOINT ["xmlperf"]
