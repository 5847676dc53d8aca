/** The command line of `npm run bench` and `npm run bench:peers`. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { DEVICE_CHOICES, type DeviceChoice } from '../src/devices/choose.ts';

export interface Options {
  readonly device: DeviceChoice;
  readonly threads: number;
  readonly quick: boolean;
  readonly only: RegExp;
  readonly out: string | null;
  /** What repeats the run, for the record. */
  readonly command: string;
}

export class UsageError extends Error {}

const FLAGS = {
  device: { type: 'string', default: 'cpu' },
  threads: { type: 'string' },
  quick: { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  out: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

export function parseOptions(script: string, args: readonly string[]): Options {
  const values = parse(script, args);
  if (values.help) throw new UsageError(usage(script));
  if (!(DEVICE_CHOICES as readonly string[]).includes(values.device))
    throw new UsageError(`--device ${values.device}: choose one of ${DEVICE_CHOICES.join(', ')}`);
  const threads = values.threads === undefined ? availableParallelism() : Number(values.threads);
  if (!Number.isInteger(threads) || threads < 1)
    throw new UsageError(`--threads ${values.threads}: it must be a whole number ≥ 1`);
  return {
    device: values.device as DeviceChoice,
    threads,
    quick: values.quick,
    only: pattern(values.only),
    out: values.out ?? null,
    command: commandOf(script, values),
  };
}

/** The command with what differs from the defaults, quoted for a shell. */
function commandOf(script: string, values: ReturnType<typeof parse>): string {
  const { device, threads, quick, only } = values;
  const args = [
    ...(device === FLAGS.device.default ? [] : [`--device ${device}`]),
    ...(threads === undefined ? [] : [`--threads ${threads}`]),
    ...(quick ? ['--quick'] : []),
    ...(only === '' ? [] : [`--only '${only}'`]),
  ];
  return [`npm run ${script}`, ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
}

function parse(script: string, args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage(script)}`);
  }
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text, 'iu');
  } catch (error) {
    throw new UsageError(`--only ${text}: ${(error as Error).message}`);
  }
}

const usage = (script: string): string =>
  `npm run ${script} -- [--device ${DEVICE_CHOICES.join('|')}] [--threads N] [--quick] [--only PATTERN] [--out FILE]\n` +
  '  --quick  a few short samples of the smaller cases\n' +
  '  --only   cases whose "group: name" matches the regular expression\n' +
  '  --out    where the JSON goes (default: bench/results/)';
