/**
 * Which adapter runs the kernels, described for logs and for `doctor`, and what is asked of it.
 *
 * WebGPU grants only its small default limits unless larger ones are requested, so everything that kernels use is
 * requested at the adapter's own value.
 */

/** The limits that kernels and buffers run into; requested at the adapter's own value. */
export const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
] as const;

export type LimitName = (typeof LIMITS)[number];
export type Limits = Readonly<Record<LimitName, number>>;

export interface AdapterDescription {
  /** For people: `NVIDIA …`, `llvmpipe … (software)`. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** True where the "GPU" is the machine's general processor. */
  readonly isSoftware: boolean;
  /** Dawn's null backend: it accepts every command and computes nothing. */
  readonly isNull: boolean;
  readonly features: readonly string[];
  readonly limits: Limits;
}

const SOFTWARE = /llvmpipe|lavapipe|swiftshader|software|basic render|\bwarp\b/i;
const NULL_BACKEND = /null[- ]backend/i;

export function describeAdapter(adapter: GPUAdapter): AdapterDescription {
  const { vendor, architecture, device, description } = adapter.info;
  const words = [vendor, architecture, device, description].join(' ');
  const isSoftware = isFallbackAdapter(adapter) || SOFTWARE.test(words);
  const plainName = description || [vendor, architecture, device].filter(Boolean).join(' ') || 'unnamed adapter';
  return {
    name: isSoftware ? `${plainName} (software)` : plainName,
    vendor: vendor.toLowerCase(),
    architecture: architecture.toLowerCase(),
    isSoftware,
    isNull: NULL_BACKEND.test(words),
    features: [...adapter.features].sort(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])) as unknown as Limits,
  };
}

/** Older implementations state it on the adapter, newer ones in its info. */
function isFallbackAdapter(adapter: GPUAdapter): boolean {
  const older = adapter as GPUAdapter & { isFallbackAdapter?: boolean };
  return adapter.info.isFallbackAdapter === true || older.isFallbackAdapter === true;
}

export interface AdapterRequest {
  /** Where WebGPU comes from; default `navigator.gpu`. In Node: `await nodeGpu()`. */
  readonly gpu?: GPU;
  readonly powerPreference?: GPUPowerPreference;
}

/** Rejects when there is no WebGPU, no adapter, or only Dawn's null backend. */
export async function requestAdapter(request: AdapterRequest = {}): Promise<{ gpu: GPU; adapter: GPUAdapter }> {
  const gpu = request.gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu;
  if (gpu === undefined) {
    throw new Error(
      'There is no WebGPU here: navigator.gpu is missing. In a browser, serve the page over https or from localhost and ' +
        "use one with WebGPU; in Node, take it from the 'webgpu' package (requestNodeWebGpuDevice).",
    );
  }
  const adapter = await gpu.requestAdapter({ powerPreference: request.powerPreference ?? 'high-performance' });
  if (adapter === null) {
    throw new Error(
      'WebGPU found no adapter: this machine has no GPU driver that it can use. On Debian, software Vulkan is the package ' +
        'mesa-vulkan-drivers (version 25 or newer).',
    );
  }
  const description = describeAdapter(adapter);
  if (description.isNull) {
    throw new Error(
      "WebGPU offers only Dawn's null backend, which accepts commands and computes nothing; it is refused. Install a " +
        'Vulkan, Metal or Direct3D 12 driver.',
    );
  }
  return { gpu, adapter };
}

/** A device with the adapter's own limits, and timestamps where it has them. */
export function openDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const { limits, features } = describeAdapter(adapter);
  return adapter.requestDevice({
    label: 'marsgrad',
    requiredLimits: { ...limits },
    requiredFeatures: features.includes('timestamp-query') ? ['timestamp-query'] : [],
  });
}
