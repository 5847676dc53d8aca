/** `marsgrad/node`: what reads and writes files. */
import './devices/node.ts';

export type { AuditedRun, AuditReport, CheckResult, Finding, Status } from './audit/verdict.ts';
export { type AuditFolderOptions, auditFolder } from './cli/auditFolder.ts';
export * from './data/node/index.ts';
export * from './io/node/download.ts';
export * from './io/node/files.ts';
export * from './io/node/layersModel.ts';
