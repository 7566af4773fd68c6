import { MapDocument } from '../../model/schema/object.ts';
import type { App, Parts } from '../app.ts';
import { addEntryRoutes } from './entries.ts';
import { addEntryBatchRoute } from './entry-batch.ts';
import { addMapCreateRoute } from './map-create.ts';
import { addMapEditRoutes } from './map-edits.ts';
import { addKindRoutes } from './objects.ts';

/** `/v1/maps`, `/v1/maps/{id}` and what is in it. */
export function addMapRoutes(app: App, parts: Parts): void {
  addKindRoutes(app, parts, { kind: 'map', plural: 'maps', document: MapDocument });
  addEntryRoutes(app, parts);
  addMapCreateRoute(app, parts);
  addMapEditRoutes(app, parts);
  addEntryBatchRoute(app, parts);
}
