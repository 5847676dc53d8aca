/** Accuracy and loss counted again from the stored predictions, and some of the predictions made again in float64. */
import { noGrad } from '../../autograd/tape.ts';
import type { Batch } from '../../data/index.ts';
import { setDefaultDevice, tensor } from '../../tensor/create.ts';
import { scope } from '../../tensor/scope.ts';
import type { Predictions } from '../../train/index.ts';
import type { AuditContext, AuditSession, Check } from '../context.ts';
import { outcomeOf, skipped } from '../verdict.ts';
import { brief, count, Findings, float64Session } from './support.ts';

interface Score {
  readonly images: number;
  readonly top1: number;
  readonly top5: number;
  readonly loss: number;
}

/** Images whose predictions are made again; `thorough`: as many again in every batch. */
const SAMPLE = 8;
/** Of ‖logits − float64's‖/‖float64's‖: a forward pass in float32 through some hundred layers. */
export const LOGIT_LIMIT = 1e-3;

export const evaluation: Check = {
  id: 'evaluation',
  title: 'The accuracy is counted right',
  question:
    'Do the stored predictions give the accuracy that the run reports, are they of the right images, and does the published network make them?',
  async run(context) {
    const predictions = await context.predictions();
    if (!predictions) return skipped('The run stored no predictions.');
    const findings = new Findings();
    const session = await float64Session(context);
    const score = scoreOf(predictions);
    checkSummary(context, score, findings);
    checkLabels(predictions, session, findings);
    const { images, worst } = await repredict(context, session, predictions, findings);
    return outcomeOf(
      findings.failed
        ? `${count(findings.failed, 'contradiction')} between predictions, labels, weights and the reported accuracy.`
        : `${(100 * score.top1).toFixed(2)} % of ${count(score.images, 'image')} right, loss ${score.loss.toFixed(4)}: as reported. ${count(images, 'prediction')} made again in float64 from the published weights differ by ${brief(worst)} of themselves at most.`,
      findings.list(),
    );
  },
};

/** Ranks: classes whose logit is larger, or the same with a smaller index, come before. Loss: mean of −log softmax, in nats. */
export function scoreOf({ logits, labels }: Predictions): Score {
  const classes = logits.length / Math.max(1, labels.length);
  let [top1, top5, loss] = [0, 0, 0];
  for (const [n, label] of labels.entries()) {
    const row = Array.from(logits.subarray(n * classes, (n + 1) * classes));
    const order = row.map((_, j) => j).sort((a, b) => row[b]! - row[a]! || a - b);
    const rank = order.indexOf(label);
    if (rank === 0) top1++;
    if (rank >= 0 && rank < 5) top5++;
    const top = row[order[0]!]!;
    loss += Math.log(row.reduce((sum, z) => sum + Math.exp(z - top), 0)) + top - row[label]!;
  }
  const images = labels.length;
  return { images, top1: top1 / images, top5: top5 / images, loss: loss / images };
}

function checkSummary({ log }: AuditContext, score: Score, findings: Findings): void {
  const said = log.at(-1)?.test as Score | undefined;
  if (!said) {
    findings.fail('log.ndjson, summary', 'reports no result');
    return;
  }
  for (const key of ['images', 'top1', 'top5', 'loss'] as const) {
    const limit = key === 'loss' ? 1e-9 * Math.max(1, score.loss) : 1e-12;
    if (Math.abs(said[key] - score[key]) <= limit) continue;
    findings.fail('log.ndjson, summary', `reports ${key} ${said[key]}; the stored predictions give ${score[key]}`, {
      value: said[key],
      limit: score[key],
    });
  }
}

function checkLabels(
  { labels }: Predictions,
  { evaluation: { dataset, imageCount } }: AuditSession,
  findings: Findings,
): void {
  if (labels.length !== imageCount)
    findings.fail('predictions.safetensors', `holds ${labels.length} images; the settings give ${imageCount}`);
  const wrong = labels.findIndex((label, n) => n < dataset.length && label !== dataset.labels[n]);
  if (wrong >= 0)
    findings.fail(
      `predictions.safetensors, image ${wrong}`,
      `has the label ${labels[wrong]}; ${dataset.origin(wrong)} is of class ${dataset.labels[wrong]}`,
    );
}

/** The first batch, the middle one and the last (`thorough`: all), a few images of each. */
async function repredict(
  context: AuditContext,
  session: AuditSession,
  { logits, labels }: Predictions,
  findings: Findings,
): Promise<{ images: number; worst: number }> {
  const published = await context.weights();
  const { model, evaluation: loader, device } = session;
  if (!published || labels.length === 0) return { images: 0, worst: 0 };
  setDefaultDevice(device);
  model.loadStateDict(published as Parameters<typeof model.loadStateDict>[0]);
  model.unfreeze().eval();
  const classes = logits.length / labels.length;
  const all = Array.from({ length: loader.length }, (_, i) => i);
  const chosen = context.thorough ? all : [...new Set([0, Math.floor(loader.length / 2), loader.length - 1])];
  const each = Math.ceil(SAMPLE / Math.min(3, chosen.length));
  let [images, worst] = [0, 0];
  for (const number of chosen) {
    const batch = await batchAt(loader, number);
    const own = await logitsOf(session, batch, each);
    for (let k = 0; k < own.length / classes; k++) {
      const n = batch.indices[k]!;
      const error = relativeError(
        logits.subarray(n * classes, (n + 1) * classes),
        own.subarray(k * classes, (k + 1) * classes),
      );
      images++;
      worst = Math.max(worst, error);
      if (error <= LOGIT_LIMIT) continue;
      findings.fail(
        `predictions.safetensors, image ${n}`,
        `its logits are not what the published weights make of ${loader.dataset.origin(n)}`,
        { value: error, limit: LOGIT_LIMIT },
      );
    }
  }
  return { images, worst };
}

async function batchAt(loader: AuditSession['evaluation'], number: number): Promise<Batch> {
  for await (const batch of loader.epoch(0, number)) return batch;
  throw new Error(`the evaluation has no batch ${number}`);
}

/** Of the first `most` images; (images, classes). */
async function logitsOf(
  { model, device }: AuditSession,
  { images, shape }: Batch,
  most: number,
): Promise<Float64Array> {
  const kept = Math.min(most, shape[0]);
  const part = images.subarray(0, (images.length / shape[0]) * kept);
  const out = scope(() => noGrad(() => model.forward(tensor(part, { shape: [kept, ...shape.slice(1)], device }))));
  const values = (await out.data()) as Float64Array;
  out.dispose();
  return values;
}

function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let j = 0; j < expected.length; j++) {
    difference += (got[j]! - expected[j]!) ** 2;
    size += expected[j]! ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}
