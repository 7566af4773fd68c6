import { type Role, roles } from '../role.ts';

/** What an agent is told of its fleet. */
export interface ClusterSettings {
  /** URLs of etcd's members; none for a machine by itself. */
  readonly etcd: readonly string[];
  /** PEM files for etcd over TLS. */
  readonly etcdTls:
    | { readonly ca: string; readonly cert: string | undefined; readonly key: string | undefined }
    | undefined;
  readonly keyFile: string | undefined;
  readonly isManager: boolean;
  /** Where managers reach this agent, if not where it listens. */
  readonly advertise: { readonly host: string; readonly port: number } | undefined;
  /** No manager acts here with more than this role, whatever its caller has. */
  readonly roleMax: Role;
}

/** The settings as they were given. */
export interface GivenClusterSettings {
  readonly etcd: readonly string[];
  /** The name of the node, or of the manager. */
  readonly name: string;
  readonly etcdCa: string;
  readonly etcdCert: string;
  readonly etcdKey: string;
  readonly keyFile: string;
  /** Whether its own listener has certificates, and wants those of callers. */
  readonly hasCertificates: boolean;
  readonly isManager: boolean;
  readonly advertise: string;
  readonly roleMax: string;
}

/** Reads them; empty texts were not given. @throws RangeError with a sentence that says what to do */
export function parseClusterSettings(given: GivenClusterSettings): ClusterSettings {
  const { etcd, keyFile, isManager } = given;
  for (const url of etcd) assertEtcdUrl(url);
  if (new Set(etcd.map((url) => url.split(':', 1)[0])).size > 1)
    throw new RangeError('--etcd wants http or https for all members, not both.');
  if (etcd.length > 0 && keyFile === '' && !given.hasCertificates) {
    throw new RangeError(
      'A fleet must know its own, and this process has nothing to be known by, so it does not join: ' +
        'give it a certificate with --tls-cert, --tls-key and --tls-client-ca (pinfold pki makes some to ' +
        'try it out), or, on a network you trust, the same --cluster-key FILE that every agent and manager ' +
        'has (pinfold cluster init FILE makes one).',
    );
  }
  if (etcd.length > 0 && given.name === 'root')
    throw new RangeError('root is the name of etcd’s own administrator: give another with --node.');
  if (etcd.length === 0 && (keyFile !== '' || isManager || given.advertise !== ''))
    throw new RangeError(
      '--cluster-key, --manager and --advertise go with --etcd URL: a fleet meets in etcd.',
    );
  return {
    etcd,
    etcdTls: parseEtcdTls(given),
    keyFile: keyFile === '' ? undefined : keyFile,
    isManager,
    advertise: given.advertise === '' ? undefined : parseAdvertise(given.advertise),
    roleMax: parseRoleMax(given.roleMax),
  };
}

function assertEtcdUrl(url: string): void {
  const isUrl = /^https?:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/.test(url) && URL.canParse(url);
  if (!isUrl) throw new RangeError(`--etcd wants http(s)://HOST:PORT of a member; it was given "${url}".`);
}

function parseEtcdTls({ etcd, etcdCa, etcdCert, etcdKey }: GivenClusterSettings): ClusterSettings['etcdTls'] {
  const isTls = etcd.some((url) => url.startsWith('https:'));
  if (etcdCa === '' && etcdCert === '' && etcdKey === '') {
    if (isTls) throw new RangeError('etcd over https needs --etcd-ca FILE: who has signed its certificates.');
    return undefined;
  }
  if (!isTls) throw new RangeError('--etcd-ca, --etcd-cert and --etcd-key go with https members.');
  if (etcdCa === '' || (etcdCert === '') !== (etcdKey === ''))
    throw new RangeError('etcd over https needs --etcd-ca, and --etcd-cert and --etcd-key together.');
  return {
    ca: etcdCa,
    cert: etcdCert === '' ? undefined : etcdCert,
    key: etcdKey === '' ? undefined : etcdKey,
  };
}

function parseAdvertise(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new RangeError(`--advertise wants HOST:PORT, such as 10.0.0.5:7463; it was given "${text}".`);
  return { host, port: Number(port) };
}

function parseRoleMax(text: string): Role {
  const role = roles.find((candidate) => candidate === text);
  if (role !== undefined) return role;
  throw new RangeError(`--fleet-role is one of ${roles.join(', ')}; it was given "${text}".`);
}
