/** Options that make a run of every method, optimiser, schedule and way of drawing batches, together. */
export type Run = readonly [name: string, options: readonly string[]];

const ball = (method: string, extractor: string, classifier: string): string[] => [
  ...['--method', method, '--radius-extractor', extractor, '--radius-classifier', classifier],
];
const penalty = (method: string, extractor: string, ...classifier: string[]): string[] => [
  ...['--method', method, '--reg-extractor', extractor],
  ...classifier.flatMap((value) => ['--reg-classifier', value]),
];

/** Among them every optimiser and every link behind one. */
export const FEW: readonly Run[] = [
  [
    'l2-pgm, Adam with AMSGrad, clipped',
    [...ball('l2-pgm', '0.3', '1'), '--optimizer', 'adam', '--amsgrad', '--lr', '0.001', '--clip-grad-norm', '1'],
  ],
  [
    'ftp, Nesterov, mixed and accumulated',
    ['--method', 'ftp', '--nesterov', '--mixup', '0.4', '--accumulate', '2', '--augment', 'crop+flip'],
  ],
  [
    'spd, AdamW with an average, by depth',
    [
      ...penalty('spd', '1'),
      '--optimizer',
      'adamw',
      '--lr',
      '0.001',
      '--ema',
      '0.9',
      '--layer-decay',
      '0.8',
      '--lr-head-scale',
      '3',
      '--warmup',
      '0.5',
    ],
  ],
  [
    'l2-sp, weight decay, smoothed',
    [
      ...penalty('l2-sp', '0.01', '0.02'),
      '--weight-decay',
      '0.01',
      '--label-smoothing',
      '0.1',
      '--schedule',
      'one-cycle',
    ],
  ],
];

export const ALL: readonly Run[] = [
  ...FEW,
  ['none', []],
  ['mars-pgm', ball('mars-pgm', '0.5', '2')],
  ['mars-pgm, exact', [...ball('mars-pgm', '0.5', '2'), '--projection', 'row-l1-exact']],
  ['mars-pgm, by the matrix', [...ball('mars-pgm', '0.5', '2'), '--projection', 'matrix-radial', '--no-batch-norm']],
  ['mars-pgm, relative', [...ball('mars-pgm', '0.02', '2'), '--relative-radius', '--head-anchor', 'initial']],
  [
    'mars-pgm, by depth',
    [...ball('mars-pgm', '0.4', '2'), '--depth-factor', '0.5', '--schedule', 'step', '--lr-decay-every', '1'],
  ],
  ['mars-sp', penalty('mars-sp', '0.001', '0.01')],
  ['bss', penalty('bss', '0.001')],
  ['tpgm', ['--method', 'tpgm', '--tpgm-steps', '3']],
  ['linear-probe', ['--method', 'linear-probe']],
  ['lp-ft', ['--method', 'lp-ft']],
  ['freezing the first half', ['--freeze-frac', '0.5', '--optimizer', 'adam', '--lr', '0.001']],
];
