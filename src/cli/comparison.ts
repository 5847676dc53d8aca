/** A free run and one held in the MARS ball, side by side: accuracies, distances, and what that shows and does not. */
import { formatPercent, formatTable } from './output.ts';
import type { TrainingResult } from './trainingRun.ts';

/** Tables and one conclusion, for people. */
export function describeComparison(free: TrainingResult, held: TrainingResult): string {
  const { dataset } = free.config.inputs;
  const accuracies = [free, held].map(({ config: { settings }, summary }) => [
    settings.regularization.method,
    String(settings.optimizer.learningRate),
    formatPercent(summary.trainAccuracy),
    formatPercent(summary.test.top1),
    summary.test.loss.toFixed(4),
    summary.worstRatio?.toFixed(6) ?? '',
    summary.seconds.toFixed(0),
  ]);
  const header = [
    'method',
    'learning rate',
    'on noisy labels',
    'test accuracy',
    'test loss',
    'distance/radius',
    'seconds',
  ];
  return [
    '',
    formatTable([header, ...accuracies]),
    '',
    `Tested on ${dataset.testImages} clean images of ${dataset.classes.join(', ')}. Run folders: ${free.summary.run}, ${held.summary.run}`,
    '',
    distanceTable(free, held),
    '',
    conclusion(free, held),
  ].join('\n');
}

/** MARS distance of every layer from where it began (the classifier's: from zero), in both runs. */
function distanceTable(free: TrainingResult, held: TrainingResult): string {
  const header = ['layer', 'kind', 'none', 'mars-pgm', 'radius', 'rows at the bound'];
  const rows = held.distances.map((layer, i) => [
    layer.layer,
    layer.kind,
    free.distances[i]!.mars.toFixed(3),
    layer.mars.toFixed(3),
    layer.radius === null ? '' : String(layer.radius),
    `${layer.rowsAtBound}/${layer.rows}`,
  ]);
  return `MARS distance from the pre-trained weights\n${formatTable([header, ...rows])}`;
}

function conclusion(free: TrainingResult, held: TrainingResult): string {
  const gain = 100 * (held.summary.test.top1 - free.summary.test.top1);
  const noise = formatPercent(held.config.settings.labelNoise);
  const outcome =
    gain > 0
      ? `within the ball, the network gains ${gain.toFixed(1)} points of test accuracy`
      : `within the ball, the network does not gain here (${gain.toFixed(1)} points of test accuracy)`;
  return (
    `What it shows: with ${noise} wrong labels, ${outcome}; it fits ${formatPercent(held.summary.trainAccuracy)} of the noisy labels, ` +
    `the free one ${formatPercent(free.summary.trainAccuracy)}. What it does not show: anything about clean labels, ` +
    'where a well-tuned free run is as good or better; nor, with one seed, how much of the difference is chance.'
  );
}
