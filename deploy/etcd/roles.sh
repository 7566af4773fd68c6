#!/bin/sh
# What each node and each manager of a Pinfold fleet may do in etcd, by the common name of its certificate.
#
#   roles.sh enable            make the user root (a certificate with CN=root) and turn authentication on
#   roles.sh node NAME...      may read what is desired and write what is its own, /pinfold/v1/nodes/NAME/
#   roles.sh manager NAME...   may read and write everything of the fleet; for a node that is both, run both
#   roles.sh remove NAME...    may do nothing any more, from its next request on
#
# etcdctl is told where etcd is by its own variables: ETCDCTL_ENDPOINTS, ETCDCTL_CACERT, and once
# authentication is on ETCDCTL_CERT and ETCDCTL_KEY of root. Each command may be repeated.
# etcd must be started with --client-cert-auth and --enable-grpc-gateway=false: its JSON gateway has the
# rights of etcd's own certificate, whoever calls it.
set -eu
export ETCDCTL_API=3

root=/pinfold/v1

fail() {
    echo "roles.sh: $*" >&2
    exit 2
}

check_name() {
    case $1 in
        root) fail 'root is the name of etcd'"'"'s own administrator' ;;
        *[!A-Za-z0-9._-]* | [!A-Za-z0-9]* | *[!A-Za-z0-9] | '')
            fail "\"$1\" is not the name of a node: letters, digits, dots, dashes and underscores" ;;
    esac
}

# Succeeds where a user or a role is there already; what else goes wrong is told by the command that follows.
has() {
    etcdctl "$1" get "$2" >/dev/null 2>&1
}

ensure_role() {
    has role "$1" || etcdctl role add "$1" >/dev/null
}

ensure_user() {
    has user "$1" || etcdctl user add "$1" --no-password >/dev/null
}

may() {
    etcdctl role grant-permission "$1" "$2" --prefix "$3" >/dev/null
}

give() {
    etcdctl user grant-role "$1" "$2" >/dev/null
}

turn_on() {
    ensure_role root
    ensure_user root
    give root root
    etcdctl auth enable
}

node() {
    check_name "$1"
    ensure_role pinfold-reader
    may pinfold-reader read "$root/desired/"
    may pinfold-reader read "$root/rollout/"
    ensure_role "pinfold-node-$1"
    # With the slash: the node "a" has nothing to say about "ab".
    may "pinfold-node-$1" readwrite "$root/nodes/$1/"
    ensure_user "$1"
    give "$1" pinfold-reader
    give "$1" "pinfold-node-$1"
    echo "$1 may act as a node"
}

manager() {
    check_name "$1"
    ensure_role pinfold-manager
    may pinfold-manager readwrite "$root/"
    ensure_user "$1"
    give "$1" pinfold-manager
    echo "$1 may act as a manager"
}

remove() {
    check_name "$1"
    if has user "$1"; then etcdctl user delete "$1" >/dev/null; fi
    if has role "pinfold-node-$1"; then etcdctl role delete "pinfold-node-$1" >/dev/null; fi
    echo "$1 may do nothing"
}

[ $# -gt 0 ] || fail 'say enable, node NAME..., manager NAME... or remove NAME...'
command=$1
shift
case $command in
    enable)
        [ $# -eq 0 ] || fail 'enable takes no names'
        turn_on
        ;;
    node | manager | remove)
        [ $# -gt 0 ] || fail "$command takes at least one name"
        for name in "$@"; do "$command" "$name"; done
        ;;
    *) fail "there is no command $command" ;;
esac
