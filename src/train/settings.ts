/**
 * All that decides the result of a training run, as plain JSON: what `config.json` holds, `--resume` reads back and an audit recomputes
 * from. The command line makes it; what follows from it is in `src/cli/settings.ts`.
 */
import type { HeadKind } from '../nn/index.ts';

/** The ways to fine-tune, as the command line names them. */
export const METHODS = [
  'none',
  'linear-probe',
  'lp-ft',
  'l2-sp',
  'mars-sp',
  'delta',
  'bss',
  'l2-pgm',
  'mars-pgm',
  'ftp',
  'tpgm',
  'spd',
] as const;
export type Method = (typeof METHODS)[number];
/** The authors' names of the norms (`--reg-norm`). */
export const REG_NORMS = ['inf-op', 'frob'] as const;
export type RegNorm = (typeof REG_NORMS)[number];
export const PRESETS = ['modern', 'authors'] as const;
export type Preset = (typeof PRESETS)[number];
export const AUGMENTATIONS = ['none', 'crop+flip', 'resized-crop+flip'] as const;
export type Augmentation = (typeof AUGMENTATIONS)[number];
export const SCHEDULES = ['constant', 'step', 'cosine', 'one-cycle'] as const;
export type ScheduleName = (typeof SCHEDULES)[number];
export const OPTIMIZERS = ['sgd', 'adam', 'adamw'] as const;
export type OptimizerName = (typeof OPTIMIZERS)[number];
export const PROJECTIONS = ['row-radial', 'row-l1-exact', 'matrix-radial'] as const;
export type ProjectionName = (typeof PROJECTIONS)[number];

export interface ScheduleSettings {
  readonly name: ScheduleName;
  /** Linear rise before the schedule, in epochs. */
  readonly warmupEpochs: number;
  /** Of `cosine`. */
  readonly final: number;
  /** Of `step`, in epochs. */
  readonly decayEvery: number;
  readonly decayFactor: number;
}

export interface OptimizerSettings {
  readonly name: OptimizerName;
  readonly learningRate: number;
  /** λ of λ/2·‖w‖² (sgd, adam), or of the decoupled decay (adamw). */
  readonly weightDecay: number;
  /** Of sgd. */
  readonly momentum: number;
  readonly nesterov: boolean;
  /** Of adam and adamw. */
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly amsgrad: boolean;
  /** Whose update rule adam follows. */
  readonly semantics: 'pytorch' | 'keras';
  /** Learning rate of the classifier over that of the rest. */
  readonly headScale: number;
  /** Learning rate of a block over that of the next one; 1: all alike. */
  readonly layerDecay: number;
  /** Largest L2 norm of the gradient; null: not clipped. */
  readonly clipGradNorm: number | null;
  /** The norm is logged. */
  readonly gradNorm: boolean;
  /** Batches per update. */
  readonly accumulate: number;
  /** Decay of the average of the weights, which is then tested and saved; null: none. */
  readonly ema: number | null;
}

/** What ties the weights to their starting point. */
export interface RegularizationSettings {
  readonly method: Method;
  /** A radius or a coefficient, as the method has it; null: no bound, or no penalty. */
  readonly extractor: number | null;
  readonly classifier: number | null;
  /** Of `mars-pgm`. */
  readonly projection: ProjectionName;
  /** Radii are multiples of the norm of the pre-trained row (MARS) or layer (Frobenius). */
  readonly relative: boolean;
  /** RegSL's factor s: radii D, D·s, D·s² towards the head; 1: all alike. */
  readonly depthFactor: number;
  /** What the classifier is tied to. */
  readonly headAnchor: 'zero' | 'initial';
  /** Rows of a depthwise convolution: one per channel, or (the authors' code) one for the whole kernel. */
  readonly depthwiseRows: 'channel' | 'kernel';
  readonly batchNorm: boolean;
  /** Whose form of L2-SP, MARS-SP and DELTA. */
  readonly form: 'original' | 'authors';
  /** Of the classifier's penalty beside the authors' DELTA. */
  readonly headNorm: RegNorm;
  /** DELTA's attention to channels: measured, or all alike. */
  readonly deltaWeights: 'measured' | 'uniform';
  /** A folder in which measured weights are kept; null: none. */
  readonly deltaCache: string | null;
  /** FTP's k: how much of a positive gradient shrinks a radius, 0 … 1. */
  readonly ftpK: number;
  /** TPGM: steps of its radii, a validation batch each. */
  readonly tpgmSteps: number;
  /** Epochs of the classifier alone before `lp-ft` trains all. */
  readonly probeEpochs: number;
  /** The first so many of the layers do not train (BatchNorm's do); 0: none. */
  readonly freezeFraction: number;
}

export interface TrainingSettings {
  readonly command: 'train' | 'finetune';
  /** How images become inputs, and in which form methods are taken where paper, code and mathematics differ. */
  readonly preset: Preset;
  readonly network: string;
  readonly head: HeadKind;
  /** Null: random initial weights. */
  readonly weights: string | null;
  readonly dataset: string;
  /** Null: all. */
  readonly classes: readonly string[] | null;
  /** Null: all. */
  readonly trainPerClass: number | null;
  /** Share of the training images that is used; null: all. */
  readonly trainFraction: number | null;
  readonly labelNoise: number;
  /** Share of the training images held out; null: none. */
  readonly validation: number | null;
  /** The validation images are trained on too. */
  readonly trainOnValidation: boolean;
  /** Which images decide in the end. */
  readonly evaluateOn: 'test' | 'val';
  /** What the command line said; null: as the weights or the network say. */
  readonly imageSize: number | null;
  readonly mean: readonly [number, number, number] | null;
  readonly std: readonly [number, number, number] | null;
  readonly augment: Augmentation;
  /** RandAugment's number of operations and magnitude; null: none. */
  readonly randAugment: readonly [operations: number, magnitude: number] | null;
  /** α of Beta(α, α); 0: none. */
  readonly mix: { readonly mixup: number; readonly cutmix: number };
  readonly regularization: RegularizationSettings;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: OptimizerSettings;
  readonly schedule: ScheduleSettings;
  readonly labelSmoothing: number;
  readonly seed: number;
  readonly evaluateEvery: number;
  readonly logEvery: number;
  /** Leave out an epoch's last batch where it is not full. */
  readonly dropLast: boolean;
}
