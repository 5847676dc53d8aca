/** `marsgrad doctor`: what this machine can compute on, what would be used and why, what is missing. */
import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, platform, totalmem } from 'node:os';
import { Command } from 'commander';
import { type ChosenDevice, chooseDevice } from '../devices/choose.ts';
import type { DeviceKind } from '../devices/device.ts';
import { type AdapterDescription, describeAdapter, requestAdapter } from '../devices/webgpu/adapter.ts';
import { nodeGpu } from '../devices/webgpu/node.ts';
import type { Context } from './context.ts';
import { oneLine } from './errors.ts';
import { addOutputOptions, type OutputOptions } from './options.ts';
import { Output } from './output.ts';
import { VERSION } from './package.ts';

interface DeviceReport {
  readonly kind: DeviceKind;
  readonly available: boolean;
  /** The adapter or engine. */
  readonly name?: string;
  /** Why it is not available. */
  readonly problem?: string;
  readonly isSoftware?: boolean;
  readonly features?: readonly string[];
  readonly limits?: AdapterDescription['limits'];
}

interface Missing {
  readonly what: string;
  readonly command: string;
}

export interface DoctorReport {
  readonly type: 'summary';
  readonly marsgrad: string;
  readonly node: string;
  readonly platform: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly devices: readonly DeviceReport[];
  /** What `--device auto` takes. */
  readonly chosen: { readonly kind: DeviceKind; readonly name: string; readonly reason: string };
  readonly missing: readonly Missing[];
}

export function doctorCommand(context: Context): Command {
  const command = new Command('doctor')
    .description('what this machine can compute on, what would be used and why, what is missing')
    .addHelpText('after', '\nExamples:\n  marsgrad doctor\n  marsgrad doctor --json');
  addOutputOptions(command);
  return command.action(async (options: OutputOptions) => {
    const output = new Output(options.json, context.streams);
    const report = await examine();
    output.record(report);
    output.result(describe(report));
  });
}

async function examine(): Promise<DoctorReport> {
  const webgpu = await examineWebGpu();
  const cpu = await examineByOpening('cpu');
  const reference = await examineByOpening('reference');
  const { device, reason } = await chooseDevice();
  const chosen = { kind: device.kind, name: device.name, reason };
  device.close();
  return {
    type: 'summary',
    marsgrad: VERSION,
    node: process.version,
    platform: `${platform()} ${arch()}`,
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    devices: [webgpu.report, cpu, reference],
    chosen,
    missing: webgpu.missing ? [webgpu.missing] : [],
  };
}

async function examineWebGpu(): Promise<{ report: DeviceReport; missing?: Missing }> {
  const unavailable = (error: unknown, missing: Missing) => ({
    report: { kind: 'webgpu', available: false, problem: oneLine(error) } as const,
    missing,
  });
  let gpu: GPU;
  try {
    gpu = await nodeGpu();
  } catch (error) {
    return unavailable(error, { what: "the package 'webgpu' (Dawn)", command: 'npm install webgpu' });
  }
  try {
    const { adapter } = await requestAdapter({ gpu });
    const { name, isSoftware, features, limits } = describeAdapter(adapter);
    return { report: { kind: 'webgpu', available: true, name, isSoftware, features, limits } };
  } catch (error) {
    return unavailable(error, { what: 'a graphics driver that WebGPU can use', command: driverCommand() });
  }
}

async function examineByOpening(kind: DeviceKind): Promise<DeviceReport> {
  try {
    const { device }: ChosenDevice = await chooseDevice({ device: kind });
    const { name, isSoftware } = device;
    device.close();
    return { kind, available: true, name, isSoftware };
  } catch (error) {
    return { kind, available: false, problem: oneLine(error) };
  }
}

/** Debian 12's own Mesa (22.3) is too old for Dawn; its backports have a newer one. */
function driverCommand(): string {
  if (platform() !== 'linux') return "the graphics card's own driver, from its maker";
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (/^VERSION_CODENAME=bookworm$/m.test(release))
    return 'sudo apt-get install -t bookworm-backports mesa-vulkan-drivers';
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release)
    ? 'sudo apt-get install mesa-vulkan-drivers'
    : "the Vulkan driver of the graphics card, or Mesa's lavapipe (25 or newer), from the distribution's packages";
}

function describe(report: DoctorReport): string {
  const gibibytes = (report.memoryBytes / 2 ** 30).toFixed(1);
  const lines = [
    `marsgrad ${report.marsgrad}, Node ${report.node}, ${report.platform}, ${report.cores} cores, ${gibibytes} GiB`,
    '',
  ];
  for (const device of report.devices) {
    lines.push(`${device.available ? 'yes' : 'no '}  ${device.kind}: ${device.name ?? device.problem}`);
    if (device.features) lines.push(`       features: ${device.features.join(', ') || 'none'}`);
    for (const [name, value] of Object.entries(device.limits ?? {})) lines.push(`       ${name}: ${value}`);
  }
  const { kind, name, reason } = report.chosen;
  lines.push('', `--device auto takes ${kind}: ${name} (${reason}).`);
  for (const { what, command } of report.missing) lines.push(`Missing: ${what}. To install it: ${command}`);
  return lines.join('\n');
}
