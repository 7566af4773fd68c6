/** PEM texts of a listener; with the authorities of client certificates, callers need one too. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

/** PEM texts of a client of etcd; the certificate's common name is the user that etcd's roles are for. */
export interface EtcdTexts {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** What a certificate of this process is shown for. */
export type CertificateUse = 'listen' | 'etcd';

/** How a certificate of this process does. */
export interface CertificateState {
  readonly use: CertificateUse;
  /** When the one that is shown now ends. */
  readonly notAfter: Date;
  /** Why what is in its files now was not taken; undefined where it is what is shown. */
  readonly refusal: string | undefined;
}
