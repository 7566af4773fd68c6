import { PinfoldError } from '../error.ts';
import { escapeStep } from '../json-pointer.ts';
import type { NetworkConfig } from '../schema/hook.ts';
import type { Workload } from './oci-state.ts';
import { joinWishes, parseAnnotations, parseWish } from './pin-wish.ts';

/** The versions of the protocol whose results can be passed on as they are. */
export const cniVersions = ['0.4.0', '1.0.0', '1.1.0'] as const;

/** An interface of a container: what CNI calls an attachment. */
export interface Attachment {
  readonly containerId: string;
  readonly ifname: string;
}

/** What the owners of all attachments of a network begin with; a colon is in no name. */
function prefixOf({ name }: NetworkConfig): string {
  return `cni:${name}:`;
}

/** The owner that stands for one attachment. */
export function attachmentOwner(config: NetworkConfig, { containerId, ifname }: Attachment): string {
  return `${prefixOf(config)}${containerId}:${ifname}`;
}

/** The pointer tells the plugin that this is code 1 for CNI. @throws PinfoldError invalid_input */
export function assertCniVersion({ cniVersion }: NetworkConfig): void {
  if (cniVersions.some((version) => version === cniVersion)) return;
  const detail = `is none of ${cniVersions.join(', ')}`;
  throw new PinfoldError('invalid_input', {
    detail: `The CNI version of the network ${detail}.`,
    errors: [{ pointer: '/body/cniVersion', detail }],
  });
}

/**
 * What an attachment wants: by the configuration of its network, and by the annotations of its pod where the
 * runtime passes them on. @throws PinfoldError invalid_input, bad_path
 */
export function parseAttachment(config: NetworkConfig, attachment: Attachment): Workload {
  assertNoneMisspelt(config);
  const annotations = config.runtimeConfig?.['io.kubernetes.cri.pod-annotations'] ?? {};
  const pointer = '/body/runtimeConfig/io.kubernetes.cri.pod-annotations';
  return {
    owner: attachmentOwner(config, attachment),
    wish: joinWishes(parseWish(config, '/body'), parseAnnotations(annotations, pointer)),
    labels: { ...labelsOf(config), container: attachment.containerId, interface: attachment.ifname },
  };
}

/** Refuses keys of ours as people write them by mistake. @throws PinfoldError invalid_input */
function assertNoneMisspelt(config: NetworkConfig): void {
  for (const key of Object.keys(config)) {
    const bare = key.toLowerCase().replace(/^pinfold\//, '');
    const meant = ['wait', 'claim', 'timeout'].find((word) => key !== word && isNearly(bare, word));
    if (meant === undefined) continue;
    const detail = `is not known here; ${meant} is`;
    const pointer = `/body/${escapeStep(key)}`;
    throw new PinfoldError('invalid_input', {
      detail: `The request is not valid: ${pointer} ${detail}.`,
      errors: [{ pointer, detail }],
    });
  }
}

/** Whether a text is a word, or one letter more, less, other or swapped with its neighbour. */
function isNearly(text: string, word: string): boolean {
  let at = 0;
  while (at < word.length && text[at] === word[at]) at++;
  const [rest, wanted] = [text.slice(at), word.slice(at)];
  const swapped = `${wanted.charAt(1)}${wanted.charAt(0)}${wanted.slice(2)}`;
  return (
    text === word ||
    rest.slice(1) === wanted.slice(1) ||
    rest.slice(1) === wanted ||
    rest === wanted.slice(1) ||
    rest === swapped
  );
}

function labelsOf({ name }: NetworkConfig): Readonly<Record<string, string>> {
  return { runtime: 'cni', network: name };
}

/** Which owners of a network there still are. @throws PinfoldError invalid_input where that is not said */
export function parseRetained(config: NetworkConfig) {
  const valid = config['cni.dev/valid-attachments'];
  if (valid === undefined) {
    const detail = 'is missing, and what nobody names is not removed';
    const pointer = '/body/cni.dev~1valid-attachments';
    throw new PinfoldError('invalid_input', {
      detail: `The request is not valid: ${pointer} ${detail}.`,
      errors: [{ pointer, detail }],
    });
  }
  const owners = valid.map(({ containerID: containerId, ifname }) =>
    attachmentOwner(config, { containerId, ifname }),
  );
  return { prefix: prefixOf(config), labels: labelsOf(config), kept: new Set(owners) };
}

/** What ADD prints: the result of the plugins before, or one without interfaces. */
export function resultOf({ cniVersion, prevResult }: NetworkConfig): Readonly<Record<string, unknown>> {
  return { ...prevResult, cniVersion };
}
