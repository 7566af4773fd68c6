# Pinfold: agent and command line in one image.
#
# Build and run it with docker-compose.yml, which says which privileges it needs and why.
# No image registry at hand? deploy/local-base-images.sh makes the base image on this machine.

FROM node:24-bookworm-slim AS build
WORKDIR /opt/pinfold
COPY package.json package-lock.json ./
# No script of a package runs here: what is native comes built inside its package for this Node (docs/adr/0005).
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts/bootstrap.mjs ./scripts/
COPY scripts/bootstrap ./scripts/bootstrap
COPY src ./src
RUN node scripts/bootstrap.mjs build && npm prune --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Pinfold" \
      org.opencontainers.image.description="Manager of pinned eBPF objects" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /opt/pinfold
COPY --from=build /opt/pinfold/package.json ./
COPY --from=build /opt/pinfold/node_modules ./node_modules
COPY --from=build /opt/pinfold/dist/src ./dist/src
COPY --from=build /opt/pinfold/dist/node_modules ./dist/node_modules
COPY LICENSE ./
COPY bin ./bin
# What hosts are given: the hook of container runtimes and the plugin of networks (sh and curl, on the host).
COPY deploy/oci ./deploy/oci
COPY deploy/cni ./deploy/cni
# Whoever is in this group reaches the socket; what they may do is for the configuration to say.
RUN groupadd --gid 7463 pinfold
RUN ln -s /opt/pinfold/bin/pinfold /usr/local/bin/pinfold
ENV NODE_ENV=production
VOLUME /var/lib/pinfold
# bpf(2) needs root and capabilities; a container with neither is told so in one sentence.
ENTRYPOINT ["/usr/local/bin/pinfold"]
CMD ["agent"]
