/** What a run measured: the shape of its JSON, and where that is written. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { MachineFacts } from './machine.ts';
import { ROOT } from './root.ts';
import type { KernelShare } from './shares.ts';
import type { Spread } from './statistics.ts';

export interface DeviceFacts {
  readonly kind: string;
  /** The adapter with its driver, or the engine. */
  readonly name: string;
  readonly threads: number | null;
}

export interface Rates {
  readonly gflopPerSecond: number;
  readonly gigabytesPerSecond: number;
}

export interface KernelResult {
  readonly group: string;
  readonly name: string;
  readonly flops: number;
  readonly bytes: number;
  /** Seconds of one repetition, by sample. */
  readonly samples: readonly number[];
  readonly seconds: Spread;
  readonly rates: Rates;
  /** What bounds it on this machine: the multiply-adds, or the bytes. */
  readonly limit: 'compute' | 'memory';
  /** Time of the limit over time taken, sample by sample. */
  readonly ofPeak: Spread;
}

export interface NetworkResult {
  readonly group: string;
  readonly name: string;
  readonly images: number;
  readonly flops: number;
  readonly bytes: number;
  readonly launches: number;
  readonly samples: readonly number[];
  readonly seconds: Spread;
  readonly imagesPerSecond: number;
  readonly rates: Rates;
  /** Against the multiply-adds alone. */
  readonly ofPeak: Spread;
  readonly gemmShare: number;
  readonly shares: readonly KernelShare[];
}

export interface BenchRecord {
  readonly command: string;
  readonly date: string;
  readonly machine: MachineFacts & { readonly loadAtEnd: number };
  readonly device: DeviceFacts;
  readonly peaks: {
    readonly description: string;
    readonly gflopPerSecond: Spread;
    readonly copyGigabytesPerSecond: number;
  };
  readonly kernels: readonly KernelResult[];
  readonly networks: readonly NetworkResult[];
}

/** Writes to `out`, or to bench/results/NAME-DATE.json, and returns where, as it is best shown. */
export function writeResults(record: { readonly date: string }, out: string | null, name: string): string {
  const stamp = record.date.slice(0, 19).replace(/:/g, '-');
  const path = out === null ? join(ROOT, 'bench/results', `${name}-${stamp}.json`) : resolve(out);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(record, null, 2)}\n`);
  return relative(process.cwd(), path);
}
