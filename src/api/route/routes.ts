import type { App, Parts } from '../app.ts';
import { addBackupRoute } from './backup.ts';
import { addBatchRoute } from './batch.ts';
import { addBtfRoutes } from './btfs.ts';
import { addDirectoryRoutes } from './directories.ts';
import { addDocsRoutes } from './docs.ts';
import { addEventsRoute } from './events.ts';
import { addFindingRoutes } from './findings.ts';
import { addHealthRoutes } from './health.ts';
import { addHoldersRoutes } from './holders.ts';
import { addLinkRoutes } from './links.ts';
import { addMapRoutes } from './maps.ts';
import { addMetricsRoute } from './metrics.ts';
import { addMountsRoute } from './mounts.ts';
import { addNodeRoute } from './node.ts';
import { addObjectsRoute } from './objects.ts';
import { addOperationRoute } from './operations.ts';
import { addPinRoutes } from './pins.ts';
import { addProgramRoutes } from './programs.ts';
import { addSpecificationRoutes } from './specifications.ts';
import { addTokenRoutes } from './tokens.ts';
import { addTreeRoute } from './tree.ts';
import { addWhyRoutes } from './why.ts';

/** Every resource, in the order in which the documentation shows them. */
export async function addRoutes(app: App, parts: Parts): Promise<void> {
  addNodeRoute(app, parts);
  addMountsRoute(app, parts);
  addPinRoutes(app, parts);
  addTreeRoute(app, parts);
  addDirectoryRoutes(app, parts);
  addBatchRoute(app, parts);
  addObjectsRoute(app, parts);
  addMapRoutes(app, parts);
  addProgramRoutes(app, parts);
  addLinkRoutes(app, parts);
  addBtfRoutes(app, parts);
  addHoldersRoutes(app, parts);
  addWhyRoutes(app, parts);
  addSpecificationRoutes(app, parts);
  addFindingRoutes(app, parts);
  addOperationRoute(app, parts);
  addEventsRoute(app, parts);
  addTokenRoutes(app, parts);
  addBackupRoute(app, parts);
  addHealthRoutes(app, parts);
  addMetricsRoute(app, parts);
  await addDocsRoutes(app);
}
