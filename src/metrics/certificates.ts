import { Gauge, type Registry } from 'prom-client';
import type { CertificateState } from '../model/certificates.ts';

/** The certificates that this process shows, by what for: a fleet falls apart on the day they end. */
export function collectCertificates(registry: Registry, states: () => readonly CertificateState[]): void {
  const registers = [registry];
  new Gauge({
    name: 'pinfold_certificate_not_after_timestamp_seconds',
    help: 'When the certificate ends that is shown to callers and nodes (listen), or to etcd.',
    labelNames: ['use'],
    registers,
    collect() {
      this.reset();
      for (const { use, notAfter } of states()) this.set({ use }, notAfter.getTime() / 1000);
    },
  });
  new Gauge({
    name: 'pinfold_certificate_refused',
    help: '1 where what is in its files by now cannot be used, so that the former is still shown.',
    labelNames: ['use'],
    registers,
    collect() {
      this.reset();
      for (const { use, refusal } of states()) this.set({ use }, refusal === undefined ? 0 : 1);
    },
  });
}
