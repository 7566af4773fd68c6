import { LinkDocument } from '../../model/schema/object.ts';
import type { App, Parts } from '../app.ts';
import { addKindRoutes } from './objects.ts';

/** `/v1/links` and `/v1/links/{id}`. */
export function addLinkRoutes(app: App, parts: Parts): void {
  addKindRoutes(app, parts, { kind: 'link', plural: 'links', document: LinkDocument });
}
