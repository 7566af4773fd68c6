import { MapDocument } from '../../model/schema/object.ts';
import type { App, Parts } from '../app.ts';
import { addKindRoutes } from './objects.ts';

/** `/v1/maps` and `/v1/maps/{id}`. */
export function addMapRoutes(app: App, parts: Parts): void {
  addKindRoutes(app, parts, { kind: 'map', plural: 'maps', document: MapDocument });
}
