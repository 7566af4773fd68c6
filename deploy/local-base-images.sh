#!/bin/sh
# Makes the base images of Dockerfile and docker-compose.yml on this machine, for places that reach Debian's packages
# and npm but no image registry. Same names, so that nothing else changes:
#
#   node:24-bookworm-slim   Debian by debootstrap, Node 24 and npm from their npm packages
#   prom/prometheus:v2.42.0 Debian by debootstrap, with its package `prometheus`
#   quay.io/coreos/etcd:v3.4.23 the same with `etcd-server` and `etcd-client`
#
# Grafana is not among Debian's packages: leave it out there with `docker-compose up prometheus`.
# Needs: root, debootstrap, npm, a docker engine. Takes about five minutes; images that exist are left alone.
set -eu

suite=bookworm
node_major=24
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# A minimal Debian in $1 with the packages $2, trusting the certificate authorities this machine trusts.
make_debian() {
  echo "debootstrap $suite with $2…"
  debootstrap --variant=minbase --include="ca-certificates,$2" "$suite" "$1" >"$work/debootstrap.log" ||
    { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
  cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$1/var/cache/apt/archives"/*.deb "$1/var/lib/apt/lists"/*
}

# Node and npm as their npm packages hold them, in the root file system $1.
add_node() {
  npm install --silent --no-save --prefix "$work/node" "node-linux-$(node -p process.arch)@$node_major" "npm@11" >/dev/null
  install -m 0755 "$work/node/node_modules/node-linux-$(node -p process.arch)/bin/node" "$1/usr/local/bin/node"
  mkdir -p "$1/usr/local/lib/node_modules" "$1/usr/local/include"
  cp -r "$work/node/node_modules/npm" "$1/usr/local/lib/node_modules/npm"
  # Node's headers, so that native addons build without a download.
  cp -r "$work/node/node_modules/node-linux-$(node -p process.arch)/include/node" "$1/usr/local/include/node" 2>/dev/null || true
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$1/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$1/usr/local/bin/npx"
}

if ! has_image node:24-bookworm-slim; then
  make_debian "$work/node-root" libstdc++6
  add_node "$work/node-root"
  tar -C "$work/node-root" -c . | docker import \
    --change 'CMD ["node"]' --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' \
    - node:24-bookworm-slim
fi

if ! has_image prom/prometheus:v2.42.0; then
  make_debian "$work/prometheus-root" prometheus
  mkdir -p "$work/prometheus-root/prometheus"
  chown 65534:65534 "$work/prometheus-root/prometheus"
  tar -C "$work/prometheus-root" -c . | docker import \
    --change 'USER 65534:65534' --change 'WORKDIR /prometheus' --change 'EXPOSE 9090' \
    --change 'ENTRYPOINT ["/usr/bin/prometheus"]' \
    --change 'CMD ["--config.file=/etc/prometheus/prometheus.yml","--storage.tsdb.path=/prometheus"]' \
    - prom/prometheus:v2.42.0
fi

if ! has_image quay.io/coreos/etcd:v3.4.23; then
  make_debian "$work/etcd-root" etcd-server,etcd-client
  tar -C "$work/etcd-root" -c . | docker import \
    --change 'EXPOSE 2379 2380' --change 'CMD ["/usr/bin/etcd"]' \
    - quay.io/coreos/etcd:v3.4.23
fi

docker image ls
