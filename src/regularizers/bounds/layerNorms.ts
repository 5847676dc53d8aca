/** Everything about a layer that a bound asks for: norms of its matrix, and of how far it moved. */
import type { Device } from '../../devices/device.ts';
import type { Conv2dParams } from '../../kernels/conv2d.ts';
import { conv2d } from '../../ops/conv2d.ts';
import { getDefaultDevice, tensor } from '../../tensor/create.ts';
import type { ChainLayer } from './chain.ts';
import { convolutionNorms } from './norms.ts';
import { type SpectralNorm, type SpectralNormOptions, spectralNorm } from './spectralNorm.ts';

export interface LayerNorms {
  readonly name: string;
  /** Columns of the layer's matrix: elements of its input. */
  readonly inputs: number;
  /** Rows: elements of its output. */
  readonly outputs: number;
  /** Elements of the kernel. */
  readonly parameters: number;
  /** Largest L1 norm of a filter: maximum absolute row sum. */
  readonly mars: number;
  readonly marsDistance: number;
  /** Of the matrix: of a convolution, √(output places) times its kernel's where nothing is padded. */
  readonly frobenius: number;
  readonly frobeniusDistance: number;
  /** Largest singular value of the matrix. */
  readonly spectral: number;
  readonly spectralDistance: number;
  /** Sum of the L2 norms of the rows of the matrix of differences: ‖(M − M⁰)ᵀ‖₂,₁. */
  readonly rowSumDistance: number;
  /** The same of the kernel, per place in it: Σ_{o,a,b} ‖K[o, :, a, b] − K⁰[o, :, a, b]‖₂. */
  readonly kernelSumDistance: number;
}

export interface LayerNormsOptions extends SpectralNormOptions {
  /** Layers that are done so far. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The layers' norms in their order. Spectral norms are found on `device` (default: the default device). */
export async function layerNorms(
  layers: readonly ChainLayer[],
  { onProgress, ...options }: LayerNormsOptions = {},
): Promise<LayerNorms[]> {
  const all: LayerNorms[] = [];
  for (const layer of layers) {
    all.push(await normsOf(layer, options));
    onProgress?.(all.length, layers.length);
  }
  return all;
}

async function normsOf(
  { name, geometry, weight, start }: ChainLayer,
  options: SpectralNormOptions,
): Promise<LayerNorms> {
  const moved = weight.map((value, i) => value - start[i]!);
  const [own, distance] = [convolutionNorms(weight, geometry), convolutionNorms(moved, geometry)];
  return {
    name,
    inputs: geometry.inChannels * geometry.inHeight * geometry.inWidth,
    outputs: geometry.outChannels * geometry.outHeight * geometry.outWidth,
    parameters: weight.length,
    mars: own.mars,
    marsDistance: distance.mars,
    frobenius: own.frobenius,
    frobeniusDistance: distance.frobenius,
    spectral: (await convolutionSpectralNorm(weight, geometry, options)).norm,
    spectralDistance: (await convolutionSpectralNorm(moved, geometry, options)).norm,
    rowSumDistance: distance.rowSum,
    kernelSumDistance: distance.kernelSum,
  };
}

/** Of the convolution with this kernel (out, in/groups, kh, kw) on maps of this size, padded with zeros. */
export async function convolutionSpectralNorm(
  kernel: Float64Array,
  geometry: Conv2dParams,
  options: SpectralNormOptions = {},
): Promise<SpectralNorm> {
  const device: Device = options.device ?? getDefaultDevice();
  const { outChannels, inChannels, groups, kernelHeight, kernelWidth, inHeight, inWidth } = geometry;
  // Scaled to a largest element of 1: squares of tiny weights would leave float32.
  const largest = kernel.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) return { norm: 0, steps: 0, error: 0 };
  const shape = [outChannels, inChannels / groups, kernelHeight, kernelWidth];
  const weight = tensor(
    kernel.map((value) => value / largest),
    { shape, device },
  );
  const window = {
    stride: [geometry.strideHeight, geometry.strideWidth],
    padding: [geometry.paddingHeight, geometry.paddingWidth],
    dilation: [geometry.dilationHeight, geometry.dilationWidth],
    groups,
  } as const;
  try {
    const map = [1, inChannels, inHeight, inWidth];
    const found = await spectralNorm((x) => conv2d(x, weight, window), map, { ...options, device });
    return { ...found, norm: found.norm * largest };
  } finally {
    weight.dispose();
  }
}
