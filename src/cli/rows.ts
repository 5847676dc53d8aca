/** Which table and row a run belongs to: what `summarize` and `report` have in common. */
import { basename, resolve } from 'node:path';
import type { RunFacts } from '../experiments/index.ts';
import type { TrainingSettings } from './settings.ts';

/** What a row is told apart by, beside its method; nulls say nothing. */
const rowSettings = ({
  regularization: { deltaCache: _, probeEpochs, ...regularization },
  optimizer,
  schedule,
  augment,
  randAugment,
  mix,
  labelSmoothing,
  head,
}: TrainingSettings): Readonly<Record<string, unknown>> => ({
  ...regularization,
  probeEpochs: probeEpochs === 0 ? null : probeEpochs,
  ...optimizer,
  optimizer: optimizer.name,
  schedule: schedule.name,
  augment,
  randAugment,
  mix,
  labelSmoothing,
  head,
});

/** Runs of one task share everything else but the seed. */
function taskOf(settings: TrainingSettings): string {
  const { network, dataset, classes, trainPerClass, trainFraction, labelNoise, epochs, batchSize, preset } = settings;
  const facts = [
    `${basename(resolve(dataset))}, ${network}, ${epochs} epochs of batches of ${batchSize}`,
    preset === 'authors' ? `preset ${preset}` : '',
    classes ? classes.join('/') : '',
    trainPerClass === null ? '' : `${trainPerClass} images a class`,
    trainFraction === null ? '' : `${100 * trainFraction} % of the images`,
    labelNoise === 0 ? '' : `${100 * labelNoise} % wrong labels`,
  ];
  return facts.filter(Boolean).join(', ');
}

/** A row says what differs among the rows of its task, and nothing else. */
export function rowsOf(runs: readonly TrainingSettings[]): Pick<RunFacts, 'task' | 'method' | 'settings'>[] {
  const tasks = new Map<string, Map<string, Set<string>>>();
  const flat = runs.map((settings) => ({ task: taskOf(settings), facts: rowSettings(settings) }));
  for (const { task, facts } of flat) {
    const values = tasks.get(task) ?? new Map<string, Set<string>>();
    tasks.set(task, values);
    for (const [name, value] of Object.entries(facts))
      values.set(name, (values.get(name) ?? new Set()).add(JSON.stringify(value)));
  }
  return flat.map(({ task, facts }) => {
    const differing = Object.entries(facts).filter(
      ([name]) => name !== 'method' && name !== 'name' && tasks.get(task)!.get(name)!.size > 1,
    );
    const words = differing.filter(([, value]) => value !== null).map(([name, value]) => `${name} ${shown(value)}`);
    return { task, method: String(facts.method), settings: words.join(', ') };
  });
}

const shown = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));
