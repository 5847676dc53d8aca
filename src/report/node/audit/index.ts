/** The audit's page. */
export { auditPageMaterial } from './material.ts';
export { type AuditPageMaterial, auditPage } from './page.ts';
