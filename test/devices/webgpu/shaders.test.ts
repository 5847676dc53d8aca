/** Every shader says what the contract says: names, order, types and access of parameters, constants and buffers. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { wgslName } from '../../../src/devices/webgpu/pipelineCache.ts';
import { linearGrid, MAX_WORKGROUPS_PER_DIMENSION } from '../../../src/devices/webgpu/programs/program.ts';
import { programs } from '../../../src/devices/webgpu/programs.ts';
import type { BufferSpecs, ConstantSpecs, ParamSpecs, ParamType } from '../../../src/kernels/contract.ts';
import { kernels } from '../../../src/kernels/index.ts';

const SHADERS = new URL('../../../shaders/', import.meta.url);

const withoutComments = (source: string) => source.replace(/\/\/.*$/gm, '');

/** The fields of `struct Params`, in order. */
function paramsOf(source: string): [name: string, type: string][] {
  const body = /struct Params \{([^}]*)\}/.exec(source)?.[1] ?? '';
  return [...body.matchAll(/(\w+)\s*:\s*([\w<>,\s]+?)\s*(?:,\s*(?=\w+\s*:)|,?\s*$)/g)].map(([, name, type]) => [
    name!,
    type!,
  ]);
}

function wgslType(type: ParamType): string {
  return type.endsWith('x8') ? `array<vec4<${type.slice(0, 3)}>, 2>` : type;
}

interface ShaderBinding {
  readonly binding: number;
  readonly space: string;
  readonly name: string;
  readonly type: string;
}

function bindingsOf(source: string): ShaderBinding[] {
  const pattern = /@group\(0\)\s*@binding\((\d+)\)\s*var<([\w, ]+)>\s*(\w+)\s*:\s*([\w<>]+);/g;
  return [...source.matchAll(pattern)].map(([, binding, space, name, type]) => ({
    binding: Number(binding),
    space: space!,
    name: name!,
    type: type!,
  }));
}

/** Name and type of every override that the shader cannot compute from others. */
function overridesOf(source: string): Map<string, string> {
  const declarations = [...source.matchAll(/override\s+(\w+)\s*:\s*(\w+)\s*(?:=\s*([^;]+))?;/g)];
  const given = declarations.filter(
    ([, , , value]) => value === undefined || /^(\d+u?|true|false)$/.test(value.trim()),
  );
  return new Map(given.map(([, name, type]) => [name!, type!]));
}

const constantCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

it('every kernel has a program and every shader is used', () => {
  expect([...programs.keys()].sort()).toEqual([...kernels.keys()].sort());
  const files = readdirSync(SHADERS).filter((file) => file.endsWith('.wgsl'));
  expect(files.sort()).toEqual([...kernels.keys()].map((name) => `${name}.wgsl`).sort());
});

it('the grid is folded beyond 65,535 workgroups, and covers all of them', () => {
  expect(linearGrid(0)).toContain(0);
  for (const count of [1, 65_535, 65_536, 65_537, 1_000_003, 65_535 ** 2]) {
    const [x, y, z] = linearGrid(count);
    expect(x).toBeLessThanOrEqual(MAX_WORKGROUPS_PER_DIMENSION);
    expect(y).toBeLessThanOrEqual(MAX_WORKGROUPS_PER_DIMENSION);
    expect(x * y * z).toBeGreaterThanOrEqual(count);
    expect(x * (y - 1)).toBeLessThan(count);
  }
});

describe.each([...programs])('%s', (name, program) => {
  const { kernel } = program;
  const source = withoutComments(program.source);

  it('is the file of its name, headed by what it computes', () => {
    expect(program.source).toBe(readFileSync(new URL(`${name}.wgsl`, SHADERS), 'utf8'));
    expect(program.source.startsWith(`// ${name}`)).toBe(true);
  });

  it('has the parameters of the contract', () => {
    const expected = Object.entries(kernel.params as ParamSpecs).map(([field, type]) => [field, wgslType(type)]);
    expect(paramsOf(source)).toEqual(expected);
  });

  it('has the buffers of the contract', () => {
    const expected = Object.entries(kernel.buffers as BufferSpecs).map(([buffer, { type, access }], i) => ({
      binding: i + 1,
      space: access === 'read' ? 'storage, read' : 'storage, read_write',
      name: buffer,
      type: `array<${type}>`,
    }));
    const [uniform, ...buffers] = bindingsOf(source);
    expect(uniform).toEqual({ binding: 0, space: 'uniform', name: 'params', type: 'Params' });
    expect(buffers).toEqual(expected);
  });

  it('has the constants of the contract as overrides, and others only where the program sets them', () => {
    const overrides = overridesOf(source);
    for (const [constant, type] of Object.entries(kernel.constants as ConstantSpecs)) {
      expect(overrides.get(wgslName(constant)), constant).toBe(type === 'bool' ? 'bool' : 'u32');
      overrides.delete(wgslName(constant));
    }
    if (program.overrides === undefined) expect([...overrides.keys()]).toEqual([]);
  });

  it('numbers the names of its enumerated constants as the contract does', () => {
    for (const [constant, names] of Object.entries(kernel.constants as ConstantSpecs)) {
      if (names === 'bool') continue;
      const numbers = new Map(
        [...source.matchAll(/const (\w+) = (\d+)u;/g)].map(([, key, value]) => [key!, Number(value)]),
      );
      const missing = names.filter((choice) => !numbers.has(constantCase(choice)));
      // The last may be what remains when all others are ruled out.
      expect(missing.length, `${constant}: ${missing.join()}`).toBeLessThanOrEqual(1);
      names.forEach((choice, index) => {
        if (!missing.includes(choice)) expect(numbers.get(constantCase(choice)), choice).toBe(index);
      });
    }
  });
});
