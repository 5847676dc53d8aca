/**
 * A peer's side of the protocol, in plain JavaScript: it runs as a process of its own (Node 20 reads no types). One JSON object a
 * line, from standard input to standard output:
 *
 *   { prepare: task }      computes the task once and writes the result to task.output   → { } or { error }
 *   { run: repetitions }   computes it again and again                                   → { seconds }
 *
 * Arrays travel as files of float32, row-major, in PyTorch's layouts: images (N, C, H, W), weights (out, in, h, w).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export const readFloats = (path) => {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).slice();
};

/**
 * `facts` is sent first. `prepare(task)` resolves to { compute, read, free }: `compute()` resolves when its work is really done,
 * `read(result)` to a Float32Array in the layout above, `free(result)` gives its memory back.
 */
export async function serve(facts, prepare) {
  const answer = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);
  answer(facts);
  let current = null;
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    try {
      if (request.prepare) {
        current = await prepare(request.prepare);
        const result = await current.compute();
        writeFileSync(request.prepare.output, await current.read(result));
        current.free(result);
        answer({});
      } else {
        const begin = performance.now();
        for (let i = 0; i < request.run; i++) current.free(await current.compute());
        answer({ seconds: (performance.now() - begin) / 1000 });
      }
    } catch (error) {
      answer({ error: error instanceof Error ? error.message : String(error) });
    }
  }
}
