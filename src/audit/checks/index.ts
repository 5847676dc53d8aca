/** What an audit checks beside replaying, in the order in which it is told. */
import type { Check } from '../context.ts';
import { batchNorm } from './batchNorm.ts';
import { continuity } from './continuity.ts';
import { distances } from './distances.ts';
import { evaluation } from './evaluation.ts';
import { gradient } from './gradient.ts';
import { inputs } from './inputs.ts';
import { logChain } from './logChain.ts';
import { projection } from './projection.ts';
import { schedule } from './schedule.ts';
import { split } from './split.ts';
import { update } from './update.ts';

export const checks: readonly Check[] = [
  logChain,
  inputs,
  split,
  schedule,
  continuity,
  gradient,
  batchNorm,
  update,
  projection,
  distances,
  evaluation,
];
