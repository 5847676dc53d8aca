/** What a command writes: progress for people on stderr, results on stdout. */
import { SingleBar } from 'cli-progress';

export interface Progress {
  /** `done` of the total; `details` such as `loss 1.234`. */
  update(done: number, details?: readonly string[]): void;
  stop(): void;
}

/** Plain lines are written no more often than this. */
const LINE_INTERVAL_MS = 10_000;

export class Output {
  readonly isJson: boolean;
  private bar: SingleBar | null = null;
  private readonly stdout: NodeJS.WritableStream;
  private readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };

  private readonly isQuiet: boolean;

  /** `isQuiet`: nothing but the result. */
  constructor(isJson: boolean, streams: Pick<NodeJS.Process, 'stdout' | 'stderr'> = process, isQuiet = false) {
    this.isJson = isJson;
    this.isQuiet = isQuiet;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
  }

  /** A line for people, about what happens. */
  message(text: string): void {
    if (!this.isQuiet) this.stderr.write(`${text}\n`);
  }

  /** An object for machines; written with --json only. */
  record(value: object): void {
    if (this.isJson) this.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** Lines for people that are the result; written without --json only. */
  result(text: string): void {
    if (!this.isJson) this.stdout.write(`${text}\n`);
  }

  /** A bar on a terminal, a line now and then elsewhere. `done` counts from `start`, the images of an earlier session. */
  progress(title: string, total: number, start = 0): Progress {
    const startedAt = performance.now();
    const speedAt = (done: number) => (done - start) / ((performance.now() - startedAt) / 1000);
    if (this.stderr.isTTY && !this.isQuiet) return this.barProgress(title, total, start, speedAt);
    let lastLine = startedAt;
    return {
      update: (done, details = []) => {
        const now = performance.now();
        if (now - lastLine < LINE_INTERVAL_MS) return;
        lastLine = now;
        const speed = speedAt(done);
        const remaining = formatSeconds((total - done) / speed);
        this.message(
          [
            `${title} ${Math.floor((100 * done) / total)} %`,
            `${speed.toFixed(0)} images/s`,
            ...details,
            `ETA ${remaining}`,
          ].join(' · '),
        );
      },
      stop: () => {},
    };
  }

  private barProgress(title: string, total: number, start: number, speedAt: (done: number) => number): Progress {
    const bar = new SingleBar({
      format: `${title} {bar} {percentage} % · {speed} images/s{details} · ETA {remaining}`,
      stream: this.stderr,
      hideCursor: true,
      clearOnComplete: true,
      barsize: 24,
    });
    const payload = (done: number, details: readonly string[]) => {
      const speed = speedAt(done);
      return {
        speed: Number.isFinite(speed) ? speed.toFixed(0) : '–',
        details: details.map((detail) => ` · ${detail}`).join(''),
        remaining: formatSeconds((total - done) / speed),
      };
    };
    bar.start(total, start, payload(start, []));
    this.bar = bar;
    return {
      update: (done, details = []) => bar.update(done, payload(done, details)),
      stop: () => {
        bar.stop();
        if (this.bar === bar) this.bar = null;
      },
    };
  }

  /** Gives the terminal its cursor back, whatever happened. */
  close(): void {
    this.bar?.stop();
  }
}

/** `1:05`, `12:34:56`; `–` where it is not known. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const total = Math.max(0, Math.round(seconds));
  const twoDigits = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours > 0 ? `${hours}:${twoDigits(minutes)}:${twoDigits(total % 60)}` : `${minutes}:${twoDigits(total % 60)}`;
}

export const formatPercent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** Columns padded to their widest cell; the first is aligned left, the others right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ');
  return rows.map(line).join('\n');
}
