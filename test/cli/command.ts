/** Runs the command line in this process, and makes folders of tiny images for it. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { runCli } from '../../src/cli/program.ts';
import { Random } from '../../src/tensor/random.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of stdout as JSON. */
  readonly records: readonly Record<string, unknown>[];
}

/** A stream that keeps what is written, and is no terminal. */
function memoryStream(onWrite?: (text: string) => void) {
  const parts: string[] = [];
  const write = (text: string) => {
    parts.push(text);
    onWrite?.(text);
    return true;
  };
  return {
    stream: { write, isTTY: false } as unknown as NodeJS.WriteStream & { fd: 1 & 2 },
    text: () => parts.join(''),
  };
}

/** `onRecord` sees every line of stdout as it comes. */
export async function marsgrad(args: readonly string[], onRecord?: (line: string) => void): Promise<Outcome> {
  const stdout = memoryStream(onRecord);
  const stderr = memoryStream();
  const code = await runCli(args, { stdout: stdout.stream, stderr: stderr.stream });
  const text = stdout.text();
  const lines = args.includes('--json') ? text.split('\n').filter((line) => line !== '') : [];
  return { code, stdout: text, stderr: stderr.text(), records: lines.map((line) => JSON.parse(line)) };
}

export class Workspace {
  readonly root = mkdtempSync(join(tmpdir(), 'marsgrad-cli-'));

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** `root/<split>/<class>/<n>.png`, 8×8, each class with a colour of its own under some noise. */
  async images(
    name: string,
    classes: readonly string[],
    counts: { train: number; val?: number; test: number },
  ): Promise<string> {
    for (const [split, count] of Object.entries(counts)) {
      for (const [label, className] of classes.entries()) {
        const folder = this.path(name, split, className);
        mkdirSync(folder, { recursive: true });
        for (let n = 0; n < count; n++)
          await writeImage(join(folder, `${n}.png`), label, split === 'train' ? n : `${split} ${n}`);
      }
    }
    return this.path(name);
  }
}

/** Each with a noise of its own: no image is in two splits. */
async function writeImage(path: string, label: number, n: number | string): Promise<void> {
  const random = new Random(label).fork(n);
  const pixels = Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => random.integer(96) + (i % 3 === label % 3 ? 150 : 0));
  await sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } })
    .png()
    .toFile(path);
}
