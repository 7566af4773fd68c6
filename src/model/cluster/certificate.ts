/** What a certificate is to be issued for. */
export interface CertificateWish {
  /** Its common name, by which etcd knows its owner, and the name in its identities. */
  readonly name: string;
  /** A node's, a manager's, both (an agent with --manager), or neither (a caller's, an etcd member's). */
  readonly isNode: boolean;
  readonly isManager: boolean;
  /** Host names and IP addresses it is reached by, beside its name. */
  readonly hosts: readonly string[];
  readonly days: number;
  /** Puts the new pair in the place of the one that is there; what shows it reads it anew. */
  readonly isRenewal: boolean;
}

/** What was issued. */
export interface IssuedCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** RFC 3339; not after the authority's own end. */
  readonly notAfter: string;
}

/** A small certificate authority for trying a fleet out, in a directory of its own. */
export interface Authority {
  /** Makes it. @throws PinfoldError already_exists, storage_failed, invalid_input */
  init(directory: string, days: number): Promise<IssuedCertificate>;
  /** Issues a key and its certificate. @throws PinfoldError already_exists, storage_failed, invalid_input */
  issue(directory: string, wish: CertificateWish): Promise<IssuedCertificate>;
}
