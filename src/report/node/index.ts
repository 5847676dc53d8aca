/** Reports: what was run, what came out, how sure it is, as one HTML file. */
export type { ReportRun, Study } from '../runs.ts';
export { type LiveState, startDashboard } from './dashboard.ts';
export { embedImage } from './images.ts';
export type { OpenImages } from './mistakes.ts';
export { type Grouping, RunFileError, type RunFolderFacts, readStudy } from './readStudy.ts';
export { makeReport, type ReportOptions } from './report.ts';
export type { CommandOf } from './sections.ts';
