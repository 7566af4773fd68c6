import { BtfDocument } from '../../model/schema/object.ts';
import type { App, Parts } from '../app.ts';
import { addBtfRoute } from './btf-types.ts';
import { addKindList } from './objects.ts';

/** `/v1/btfs` and `/v1/btfs/{id}`. */
export function addBtfRoutes(app: App, parts: Parts): void {
  addKindList(app, parts, { kind: 'btf', plural: 'btfs', document: BtfDocument });
  addBtfRoute(app, parts);
}
