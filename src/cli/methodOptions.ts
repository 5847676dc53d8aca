/** The options that choose a method and its strength, in our names and in those of the paper's authors. */
import type { Command } from 'commander';
import { UsageError } from './errors.ts';
import {
  factsOf,
  METHODS,
  type Method,
  methodOf,
  REG_METHODS,
  REG_NORMS,
  type RegMethod,
  type RegNorm,
} from './methods.ts';
import { option } from './options.ts';
import { choice, number, radius, wholeNumber } from './parse.ts';
import { PROJECTIONS, type Preset, type ProjectionName, type RegularizationSettings } from './settings.ts';

export interface MethodOptions {
  readonly method?: Method;
  readonly regMethod?: RegMethod;
  readonly regNorm?: RegNorm;
  readonly regExtractor?: number;
  readonly regClassifier?: number;
  readonly radiusExtractor?: number;
  readonly radiusClassifier?: number;
  readonly projection: ProjectionName;
  readonly relativeRadius: boolean;
  readonly depthFactor: number;
  readonly headAnchor: 'zero' | 'initial';
  readonly depthwiseRows?: 'channel' | 'kernel';
  readonly batchNorm: boolean;
  readonly ftpK: number;
  readonly tpgmSteps: number;
  readonly deltaWeights: 'measured' | 'uniform';
  readonly deltaCache?: string;
  readonly probeEpochs?: number;
  readonly freezeFrac: number;
}

/** What every method is, for the end of `--help`. */
export const METHOD_HELP = METHODS.map((method) => `  ${method.padEnd(13)} ${factsOf(method).about}`).join('\n');

export function addMethodOptions(command: Command): Command {
  command.optionsGroup('Method:');
  command
    .addOption(option('--method <name>', 'one of those listed below (default: none)', choice(METHODS)))
    .addOption(
      option('--radius-extractor <r>', "of a ball: largest distance of each layer from its start, or 'inf'", radius),
    )
    .addOption(option('--radius-classifier <r>', "of a ball: largest norm of the classifier, or 'inf'", radius))
    .addOption(
      option('--projection <name>', `of mars-pgm: ${PROJECTIONS.join(', ')}`, choice(PROJECTIONS)).default(
        PROJECTIONS[0],
      ),
    )
    .option('--relative-radius', 'radii are multiples of the norm of the pre-trained row or layer', false)
    .addOption(option('--depth-factor <s>', 'radii D, D·s, D·s² towards the head', number(0)).default(1))
    .addOption(
      option(
        '--head-anchor <which>',
        'what the classifier is tied to: zero, initial',
        choice(['zero', 'initial']),
      ).default('zero'),
    )
    .addOption(
      option(
        '--depthwise-rows <which>',
        "rows of a depthwise convolution: channel, or kernel (the authors' code)",
        choice(['channel', 'kernel']),
      ),
    )
    .option('--no-batch-norm', 'leave BatchNorm free')
    .addOption(
      option('--delta-weights <how>', 'of delta: measured, uniform', choice(['measured', 'uniform'])).default(
        'measured',
      ),
    )
    .addOption(
      option('--ftp-k <k>', 'of ftp: how much of a positive gradient shrinks a radius', number(0, 1)).default(1),
    )
    .addOption(
      option('--tpgm-steps <n>', 'of tpgm: steps of its radii, a validation batch each', wholeNumber(1)).default(100),
    )
    .addOption(option('--probe-epochs <n>', 'of lp-ft (default: half of the epochs)', wholeNumber(1)));
  return addAuthorsMethodOptions(command);
}

const AUTHORS = "The authors' names";

function addAuthorsMethodOptions(command: Command): Command {
  const options = [
    option('--reg-method <name>', `${REG_METHODS.join(', ')}`, choice(REG_METHODS)),
    option('--reg-norm <name>', `${REG_NORMS.join(', ')}: MARS or Frobenius (default: inf-op)`, choice(REG_NORMS)),
    option('--reg-extractor <l>', 'radius or coefficient on the pre-trained layers (default: inf)', radius),
    option('--reg-classifier <l>', 'the same on the classifier (default: inf)', radius),
    option('--delta-cache <folder>', 'where delta keeps the weights of its channels', String),
    option('--freeze-frac <f>', 'the first so many of the layers do not train (BatchNorm does)', number(0, 1)).default(
      0,
    ),
  ];
  for (const one of options) command.addOption(one.helpGroup(`${AUTHORS}:`));
  return command;
}

/** Throws where what was said does not go together, naming what would. */
export function regularizationOf(options: MethodOptions, preset: Preset, epochs: number): RegularizationSettings {
  const method = chosenMethod(options);
  // In the authors' names a bound that is not given is infinite.
  const unbounded =
    options.method === undefined && factsOf(method).extractor === 'radius' ? Number.POSITIVE_INFINITY : undefined;
  const extractor = strengthOf(method, 'extractor', options) ?? unbounded;
  const classifier = strengthOf(method, 'classifier', options) ?? unbounded;
  checkTogether(method, extractor, classifier);
  if (options.projection !== 'row-radial' && method !== 'mars-pgm')
    throw new UsageError(`--projection ${options.projection} is a form of --method mars-pgm; this is ${method}.`);
  return {
    method,
    extractor: finite(extractor),
    classifier: finite(classifier),
    projection: options.projection,
    relative: options.relativeRadius,
    depthFactor: options.depthFactor,
    headAnchor: options.headAnchor,
    depthwiseRows: options.depthwiseRows ?? (preset === 'authors' ? 'kernel' : 'channel'),
    batchNorm: options.batchNorm,
    form: preset === 'authors' ? 'authors' : 'original',
    headNorm: options.regNorm ?? 'inf-op',
    deltaWeights: options.deltaWeights,
    deltaCache: options.deltaCache ?? null,
    ftpK: options.ftpK,
    tpgmSteps: options.tpgmSteps,
    probeEpochs: method === 'lp-ft' ? (options.probeEpochs ?? Math.ceil(epochs / 2)) : 0,
    freezeFraction: options.freezeFrac,
  };
}

/** Of a run that is not tied to anything. */
export const FREE: RegularizationSettings = {
  method: 'none',
  extractor: null,
  classifier: null,
  projection: 'row-radial',
  relative: false,
  depthFactor: 1,
  headAnchor: 'zero',
  depthwiseRows: 'channel',
  batchNorm: true,
  form: 'original',
  headNorm: 'inf-op',
  deltaWeights: 'measured',
  deltaCache: null,
  ftpK: 1,
  tpgmSteps: 100,
  probeEpochs: 0,
  freezeFraction: 0,
};

function chosenMethod({ method, regMethod, regNorm, regExtractor, regClassifier }: MethodOptions): Method {
  const authors = regMethod ?? (regNorm === undefined || method !== undefined ? undefined : 'constraint');
  if (authors !== undefined) {
    const named = methodOf(authors, regNorm ?? 'inf-op');
    if (method !== undefined && method !== named)
      throw new UsageError(`--reg-method ${authors} is ${named}, but --method says ${method}. Leave one of them out.`);
    return named;
  }
  if (method !== undefined) return method;
  // The authors' default: a constraint, without a bound where no radius is given.
  return regExtractor === undefined && regClassifier === undefined ? 'none' : 'mars-pgm';
}

function strengthOf(method: Method, part: 'extractor' | 'classifier', options: MethodOptions): number | undefined {
  const kind = factsOf(method)[part];
  const [ours, authors] =
    part === 'extractor'
      ? [options.radiusExtractor, options.regExtractor]
      : [options.radiusClassifier, options.regClassifier];
  if (ours !== undefined && kind !== 'radius') {
    const hint = kind === 'coefficient' ? ` Its coefficient is --reg-${part}.` : '';
    throw new UsageError(
      `--radius-${part} is of a ball (--method mars-pgm or l2-pgm), but the method is ${method}.${hint}`,
    );
  }
  if (ours !== undefined && authors !== undefined && ours !== authors)
    throw new UsageError(`--radius-${part} and --reg-${part} are two names of one number; leave one of them out.`);
  const value = ours ?? authors;
  if (value !== undefined && kind === null)
    throw new UsageError(`--method ${method} takes no --reg-${part}; leave it out.`);
  if (value === Number.POSITIVE_INFINITY && kind === 'coefficient')
    throw new UsageError(`--reg-${part} of ${method} is a coefficient: a finite number ≥ 0.`);
  return value;
}

function checkTogether(method: Method, extractor: number | undefined, classifier: number | undefined): void {
  const facts = factsOf(method);
  const missing = (['extractor', 'classifier'] as const).filter(
    (part) => facts[part] !== null && (part === 'extractor' ? extractor : classifier) === undefined,
  );
  if (missing.length === 0) return;
  const name = facts.extractor === 'radius' ? 'radius' : 'reg';
  throw new UsageError(
    `--method ${method} needs ${missing.map((part) => `--${name}-${part}`).join(' and ')}. As a start: ${facts.start}.`,
  );
}

/** Infinity has no place in JSON: no bound is null. */
const finite = (value: number | undefined): number | null =>
  value === undefined || value === Number.POSITIVE_INFINITY ? null : value;
