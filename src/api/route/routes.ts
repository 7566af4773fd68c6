import { type App, hasNode, type Parts, type ServiceParts } from '../app.ts';
import { HolderQuestions } from '../holder-questions.ts';
import { addBackupRoute } from './backup.ts';
import { addBatchRoute } from './batch.ts';
import { addBtfRoutes } from './btfs.ts';
import { addClaimRoutes } from './claims.ts';
import { addClusterRoutes } from './cluster.ts';
import { addDirectoryRoutes } from './directories.ts';
import { addDocsRoutes } from './docs.ts';
import { addEventsRoute } from './events.ts';
import { addFindingRoutes } from './findings.ts';
import { addGcRoutes } from './gc.ts';
import { addHealthRoutes } from './health.ts';
import { addHoldersRoutes } from './holders.ts';
import { addHookRoutes } from './hooks.ts';
import { addLinkRoutes } from './links.ts';
import { addMapTypesRoute } from './map-types.ts';
import { addMapRoutes } from './maps.ts';
import { addMetricsRoute } from './metrics.ts';
import { addMountsRoute } from './mounts.ts';
import { addNodeRoute } from './node.ts';
import { addNodePinSetRoutes } from './node-pinsets.ts';
import { addObjectsRoute } from './objects.ts';
import { addOperationRoute } from './operations.ts';
import { addPinRoutes } from './pins.ts';
import { addProgramRoutes } from './programs.ts';
import { addQuarantineRoutes } from './quarantine.ts';
import { addSpecificationRoutes } from './specifications.ts';
import { addTokenRoutes } from './tokens.ts';
import { addTopRoutes } from './top.ts';
import { addTreeRoute } from './tree.ts';
import { addWebhookRoutes } from './webhooks.ts';
import { addWhyRoutes } from './why.ts';

/** Every resource there is here, in the order in which the documentation shows them. */
export async function addRoutes(app: App, parts: ServiceParts | Parts): Promise<void> {
  if (hasNode(parts)) addRoutesOfNode(app, parts);
  addClusterRoutes(app, parts);
  if (hasNode(parts)) addRoutesOfState(app, parts);
  addHealthRoutes(app, parts);
  addMetricsRoute(app, parts);
  await addDocsRoutes(app);
}

/** What only a machine with a bpffs has. */
function addRoutesOfNode(app: App, parts: Parts): void {
  addNodeRoute(app, parts);
  addMountsRoute(app, parts);
  addPinRoutes(app, parts);
  addTreeRoute(app, parts);
  addDirectoryRoutes(app, parts);
  addBatchRoute(app, parts);
  addObjectsRoute(app, parts);
  addMapRoutes(app, parts);
  addMapTypesRoute(app, parts);
  addProgramRoutes(app, parts);
  addLinkRoutes(app, parts);
  addBtfRoutes(app, parts);
  const questions = new HolderQuestions(parts.agent.holders);
  addHoldersRoutes(app, questions);
  addWhyRoutes(app, questions);
  addSpecificationRoutes(app, parts);
  addTopRoutes(app, parts);
  addFindingRoutes(app, parts);
  addClaimRoutes(app, parts);
  addGcRoutes(app, parts);
  addQuarantineRoutes(app, parts);
  addNodePinSetRoutes(app, parts);
  addOperationRoute(app, parts);
  addEventsRoute(app, parts);
  addHookRoutes(app, parts);
}

/** What looks after an agent's own database. */
function addRoutesOfState(app: App, parts: Parts): void {
  addWebhookRoutes(app, parts);
  addTokenRoutes(app, parts);
  addBackupRoute(app, parts);
}
