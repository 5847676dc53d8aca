/** From a run folder that is audited to what its page shows. What is damaged there is left out: the checks say so. */
import { createHash } from 'node:crypto';
import type { AuditContext } from '../../../audit/context.ts';
import type { LayerDistance } from '../../../regularizers/index.ts';
import type { DistancesLine } from './history.ts';
import type { AuditPageMaterial } from './page.ts';

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const isDistance = (value: unknown): value is LayerDistance =>
  isObject(value) &&
  typeof value.layer === 'string' &&
  typeof value.mars === 'number' &&
  typeof value.frobenius === 'number' &&
  (value.radius === null || typeof value.radius === 'number');

const isHistory = (line: unknown): line is DistancesLine =>
  isObject(line) &&
  line.type === 'distances' &&
  typeof line.epoch === 'number' &&
  Array.isArray(line.layers) &&
  line.layers.every((one) => isDistance({ radius: null, ...one }));

async function distancesOf({ files }: AuditContext): Promise<LayerDistance[]> {
  if (!files.exists('distances.json')) return [];
  try {
    const found: unknown = JSON.parse(new TextDecoder().decode(await files.read('distances.json')));
    return Array.isArray(found) ? found.filter(isDistance) : [];
  } catch {
    return [];
  }
}

/** Never rejects for what a run folder holds. */
export async function auditPageMaterial(context: AuditContext): Promise<AuditPageMaterial> {
  const { steps, log, logLines, config, configBytes } = context;
  return {
    steps: steps.map(({ file }) => file),
    history: log.flatMap((line) => (isHistory(line) ? [line] : [])),
    distances: await distancesOf(context),
    hasRelativeRadii: config.settings.regularization.relative,
    digests: { config: sha256(configBytes), log: sha256(logLines.at(-1) ?? '') },
  };
}
