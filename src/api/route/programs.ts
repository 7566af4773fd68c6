import { ProgramDocument } from '../../model/schema/object.ts';
import type { App, Parts } from '../app.ts';
import { addKindRoutes } from './objects.ts';

/** `/v1/programs` and `/v1/programs/{id}`. */
export function addProgramRoutes(app: App, parts: Parts): void {
  addKindRoutes(app, parts, { kind: 'program', plural: 'programs', document: ProgramDocument });
}
