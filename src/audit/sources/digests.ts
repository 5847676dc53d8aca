/** Digests of what a run computed with, as it is installed: shaders, definitions, the CPU device's WebAssembly. */
import type { DeviceKind } from '../../devices/device.ts';
import { sha256 } from '../digest.ts';

/** sha256 by path in the repository. Loaded when asked for: the sources are large. */
export async function sourceDigests(kernels: Iterable<string>, device: DeviceKind): Promise<Record<string, string>> {
  const [{ kernelSources }, { sourceFiles }] = await Promise.all([import('./kernels.ts'), import('./files.ts')]);
  const sources = kernelSources();
  const texts = new Map<string, string | Uint8Array>();
  for (const kernel of kernels) {
    const source = sources.get(kernel);
    if (!source) throw new Error(`there is no source of the kernel '${kernel}'`);
    texts.set(source.wgsl.path, source.wgsl.text);
    texts.set(source.definition.path, sourceFiles.get(source.definition.path)!);
  }
  if (device === 'cpu') texts.set('build/cpu.wasm', (await import('../../../build/cpu.wasm')).default);
  const paths = [...texts.keys()].sort();
  return Object.fromEntries(await Promise.all(paths.map(async (path) => [path, await sha256(texts.get(path)!)])));
}
