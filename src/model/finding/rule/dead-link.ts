import type { LinkInfo } from '../../schema/link-info.ts';
import type { Judgement, Rule } from '../rule.ts';
import { objectSubject, objectWords, pathsOf } from '../words.ts';
import type { World } from '../world.ts';

/** Links whose target is gone. */
export const deadLink: Rule = {
  id: 'dead_link',
  title: 'Dead link',
  severities: ['critical', 'warning'],
  needs: ['objects'],
  meaning:
    'What the link was attached to, a network device, a control group or a network namespace, is gone. ' +
    'Its program runs no longer, and it will not come back with a new device or group of the same name.',
  advice:
    'Attach the program anew and pin the new link; then remove this pin, which only keeps the dead link ' +
    'and its program in memory.',
  *judge(world: World): Iterable<Judgement> {
    for (const link of world.links.values()) {
      const { info, pins } = link;
      if (info.is_attached !== false) continue;
      const program = info.prog_id === undefined ? undefined : world.programs.get(info.prog_id);
      const runs = program === undefined ? 'its program' : objectWords(program.info);
      yield {
        severity: pins.length > 0 ? 'critical' : 'warning',
        subject: objectSubject(link),
        summary: `The target of ${objectWords(info)} is gone, so ${runs} does not run there any more.`,
        evidence: { pins: pathsOf(pins), ...programEvidence(info) },
      };
    }
  },
};

function programEvidence({ prog_id, attach_type }: LinkInfo): Record<string, unknown> {
  return {
    ...(prog_id === undefined ? {} : { program_id: prog_id }),
    ...(attach_type === undefined ? {} : { attach_type }),
  };
}
