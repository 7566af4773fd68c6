import { ProgramDocument } from '../../model/schema/object.ts';
import type { App, Parts } from '../app.ts';
import { addKindList } from './objects.ts';
import { addInstructionsRoute } from './program-instructions.ts';
import { addProgramRoute } from './program-statistics.ts';

/** `/v1/programs`, `/v1/programs/{id}` and what is below it. */
export function addProgramRoutes(app: App, parts: Parts): void {
  addKindList(app, parts, { kind: 'program', plural: 'programs', document: ProgramDocument });
  addProgramRoute(app, parts);
  addInstructionsRoute(app, parts);
}
