/** `marsgrad tune`: the hyper-parameters of one way to fine-tune, by TPE on the validation images. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { parseDimension } from '../experiments/dimension.ts';
import { AUTHORS_SPACES, type SearchSpace } from '../experiments/space.ts';
import type { Context } from './context.ts';
import { withDashboard } from './dashboard.ts';
import { InterruptedError, UsageError } from './errors.ts';
import { addFinetuneOptions, type FinetuneOptions, settingsOf } from './finetune.ts';
import { JobPool } from './jobs/pool.ts';
import { type BestPoint, describePoint, type SearchPoint, type StoredTrial, search } from './jobs/search.ts';
import { factsOf, type Method, methodOf } from './methods.ts';
import { addOutputOptions, option } from './options.ts';
import { formatPercent, formatTable, Output } from './output.ts';
import { wholeNumber } from './parse.ts';
import { freePath } from './runFolder.ts';
import { deviceFor } from './sweep.ts';

interface TuneOptions extends FinetuneOptions {
  readonly space?: SearchSpace;
  readonly maxEvals: number;
  readonly startupTrials: number;
  readonly prune: boolean;
}

const EXAMPLES = `
The objective is the accuracy on the validation images after the last epoch, as in the authors' code: the data set needs val/, or give
--validation. All options of finetune hold for every trial but those that are searched. Without --space, the authors' ranges: radii
1.65 … 33.1, coefficients 4.5e-5 … 0.368; for a method without such numbers, --lr 0.0001 … 0.1.
Ctrl-C, or a kill, loses the current epoch at most: give the same command with the same --out again.

Examples:
  marsgrad tune --weights resnet20.th --network resnet20 --dataset photos/ --method mars-pgm --out runs/tuned
  marsgrad tune --weights resnet20.th --network resnet20 --dataset photos/ --method l2-sp --space lr=0.001..0.1 --space reg-extractor=1e-4..1 --space reg-classifier=1e-4..1`;

export function tuneCommand(context: Context): Command {
  const command = new Command('tune')
    .description('search hyper-parameters on the validation images; goes on where it was stopped')
    .addHelpText('after', EXAMPLES);
  command.optionsGroup('Search:');
  command
    .addOption(
      new Option(
        '--space <name=range>',
        'lr=0.001..0.1 (by the logarithm), momentum=uniform:0.8..0.99, epochs=10|20; again for the next',
      ).argParser(addDimension),
    )
    .addOption(option('--max-evals <n>', 'trials in all', wholeNumber(1)).default(20))
    .addOption(option('--startup-trials <n>', 'drawn at random before the first estimate', wholeNumber(1)).default(20))
    .option('--no-prune', 'run every trial to its end, also where it is worse than the median at its looks');
  addFinetuneOptions(command);
  addOutputOptions(command);
  return command.action((options: TuneOptions) => tune(command, options, context));
}

async function tune(command: Command, options: TuneOptions, { streams, signal }: Context): Promise<void> {
  if (options.test || options.resume !== undefined)
    throw new UsageError('tune looks at validation images: leave out --test; to go on with a search, give its --out.');
  if (command.getOptionValueSource('record') === 'cli')
    throw new UsageError(
      'tune keeps config and log of its trials alone: record the run that you make with what it finds.',
    );
  const output = new Output(options.json, streams);
  const out = options.out ?? freePath('runs/tune');
  const space = options.space ?? defaultSpace(options);
  const { maxEvals, startupTrials, seed, prune } = options;
  const pool = new JobPool(1, signal);
  try {
    const work = () =>
      search({
        folder: out,
        space,
        tuning: { maxEvals, startupTrials, seed, evaluateEvery: prune ? options.evaluateEvery : 0 },
        device: deviceFor(options, 1),
        settingsAt: (point) => settingsOf(command, options, byAttribute(command, point)),
        run: (job) => pool.run(job, 0),
        onTrial: (trial) => {
          output.record({ type: 'trial', ...trial });
          output.message(`trial ${trial.trial}: ${outcomeOf(trial)} at ${describePoint(trial.point)}`);
        },
      });
    const { best, trials } = await withDashboard(options.dashboard, out, output, work);
    output.record({ type: 'summary', out, ...best });
    output.result(describeTrials(trials, best, out));
  } catch (error) {
    if (error instanceof InterruptedError)
      throw new InterruptedError(`Interrupted; all is saved. Go on with the same command and --out ${out}.`);
    throw error;
  } finally {
    output.close();
  }
}

function addDimension(text: string, before: SearchSpace | undefined): SearchSpace {
  const [name = '', range] = text.split('=');
  if (range === undefined) throw new UsageError(`--space ${text}: it must be a name and a range, as lr=0.001..0.1.`);
  try {
    return { ...before, [name]: parseDimension(name, range) };
  } catch (error) {
    throw new UsageError(`--space: ${(error as Error).message}.`);
  }
}

function defaultSpace({ method, regMethod, regNorm }: TuneOptions): SearchSpace {
  const chosen: Method =
    method ?? (regMethod || regNorm ? methodOf(regMethod ?? 'constraint', regNorm ?? 'inf-op') : 'none');
  const { extractor, classifier } = factsOf(chosen);
  if (extractor === null) return { lr: { kind: 'logUniform', low: 1e-4, high: 0.1 } };
  const ranges = AUTHORS_SPACES[extractor];
  return { 'reg-extractor': ranges.extractor, ...(classifier !== null && { 'reg-classifier': ranges.classifier }) };
}

/** From long names to commander's. */
function byAttribute(command: Command, point: SearchPoint): Partial<FinetuneOptions> {
  return Object.fromEntries(
    Object.entries(point).map(([name, value]) => {
      const found = command.options.find(({ long }) => long === `--${name}`);
      if (!found) throw new UsageError(`--space ${name}: finetune has no option --${name}.`);
      return [found.attributeName(), value];
    }),
  );
}

const outcomeOf = ({ accuracy, status }: StoredTrial): string =>
  accuracy === null ? status : `${formatPercent(accuracy)}${status === 'done' ? '' : ` (${status})`}`;

function describeTrials(trials: readonly StoredTrial[], best: BestPoint, out: string): string {
  const names = Object.keys(best.point);
  const shown = (value: unknown) => (typeof value === 'number' ? String(Number(value.toPrecision(4))) : String(value));
  const rows = trials.map((trial) => [
    `${trial.trial}${trial.trial === best.trial ? ' *' : ''}`,
    ...names.map((name) => shown(trial.point[name])),
    trial.accuracy === null ? '' : formatPercent(trial.accuracy),
    trial.status,
    String(trial.epochs),
  ]);
  const options = Object.entries(best.point).map(([name, value]) => `--${name} ${value}`);
  return [
    formatTable([['trial', ...names, 'validation', 'status', 'epochs'], ...rows]),
    '',
    `Best: ${formatPercent(best.accuracy)} with ${options.join(' ')}`,
    `As a plot: marsgrad report ${join(out)}`,
  ].join('\n');
}
