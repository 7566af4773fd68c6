import { BtfDocument } from '../../model/schema/object.ts';
import type { App, Parts } from '../app.ts';
import { addKindRoutes } from './objects.ts';

/** `/v1/btfs` and `/v1/btfs/{id}`. */
export function addBtfRoutes(app: App, parts: Parts): void {
  addKindRoutes(app, parts, { kind: 'btf', plural: 'btfs', document: BtfDocument });
}
