import type { Cli } from './cli.ts';
import { resolveMap } from './map-argument.ts';
import { resolveProgram } from './program-argument.ts';
import { mapResource } from './resource/map.ts';
import { programResource } from './resource/program.ts';
import type { Resource } from './resource/resource.ts';

/**
 * The name a thing is asked for by. Maps and programs are found by pins too, and maps by names that only one
 * has; of other things it is what was typed.
 *
 * @throws NotFoundError, UsageError; ClientError
 */
export async function idOf(cli: Cli, resource: Resource, name: string): Promise<string> {
  if (resource === mapResource) return await resolveMap(cli, name);
  return resource === programResource ? await resolveProgram(cli, name) : name;
}
