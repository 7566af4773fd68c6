# Pinfold: agent, manager and command line in one image.
#
# Build and run it with docker-compose.yml, which says which privileges it needs and why.
# No image registry at hand? deploy/local-base-images.sh makes the base image on this machine.

FROM node:24-bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 make g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/pinfold
COPY package.json package-lock.json ./
# The native addon is built here, from source, with the headers the image has: no binary is downloaded.
RUN npm_config_nodedir=/usr/local npm_config_build_from_source=true npm ci
COPY tsconfig.json ./
COPY src ./src
RUN npx tsc -p tsconfig.json && npm prune --omit=dev

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Pinfold" \
      org.opencontainers.image.description="Manager of pinned eBPF objects" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /opt/pinfold
COPY --from=build /opt/pinfold/package.json ./
COPY --from=build /opt/pinfold/node_modules ./node_modules
COPY --from=build /opt/pinfold/dist/src ./dist/src
COPY LICENSE ./
COPY bin ./bin
RUN ln -s /opt/pinfold/bin/pinfold /usr/local/bin/pinfold
ENV NODE_ENV=production
VOLUME /var/lib/pinfold
# bpf(2) needs root and capabilities; a container with neither is told so in one sentence.
ENTRYPOINT ["/usr/local/bin/pinfold"]
CMD ["agent"]
