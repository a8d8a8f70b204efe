ARG DEBIAN_IMAGE
FROM ${DEBIAN_IMAGE}
ARG PACKAGES
RUN apt-get update && apt-get install -y --no-install-recommends ${PACKAGES} && apt-get clean && rm -rf /var/lib/apt/lists/* \
    && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && ln -sf python3 /usr/bin/python
ENV PIP_ROOT_USER_ACTION=ignore
CMD ["python"]
