/** From layers to the tables that are measured and projected: one per arena, or per pair of arenas. */
import { type Arena, membership } from '../tensor/arena.ts';
import type { Anchors } from './anchors.ts';
import { type Channel, ChannelTable } from './channelTable.ts';
import type { ConstrainableLayer } from './layers.ts';
import { type Row, type RowRule, RowTable } from './rowTable.ts';

export interface Tables {
  readonly rows: readonly RowTable[];
  readonly channels: readonly ChannelTable[];
}

/** `radii[i]` is layer i's; all weights and running variances are members of arenas. */
export function buildTables(
  layers: readonly ConstrainableLayer[],
  radii: readonly number[],
  anchors: Anchors,
  rule: RowRule,
): Tables {
  const rows = rowsByArena(layers, radii, rule);
  const place = (arena: Arena) => ({ arena, anchors: anchors.of(arena) });
  return {
    rows: [...rows].map(([arena, list]) => new RowTable(arena, anchors.of(arena), list, rule)),
    channels: channelsByArenas(layers, radii).map(
      ({ weights, variances, channels }) => new ChannelTable(place(weights), place(variances), channels, rule.relative),
    ),
  };
}

function rowsByArena(
  layers: readonly ConstrainableLayer[],
  radii: readonly number[],
  { relative, wholeDepthwise }: RowRule,
): Map<Arena, Row[]> {
  const rows = new Map<Arena, Row[]>();
  for (const [layer, { kind, weight, isDepthwise, isHead }] of layers.entries()) {
    if (kind === 'batchNorm2d') continue;
    const { arena, offset } = membership(weight)!;
    const count = isDepthwise && wholeDepthwise ? 1 : weight.shape[0]!;
    const length = weight.size / count;
    const list = rows.get(arena) ?? [];
    rows.set(arena, list);
    const isRelative = relative && !isHead;
    for (let row = 0; row < count; row++)
      list.push({ layer, offset: offset + row * length, length, radius: radii[layer]!, isRelative });
  }
  return rows;
}

interface ChannelGroup {
  readonly weights: Arena;
  readonly variances: Arena;
  readonly channels: Channel[];
}

function channelsByArenas(layers: readonly ConstrainableLayer[], radii: readonly number[]): ChannelGroup[] {
  const groups: ChannelGroup[] = [];
  for (const [layer, { weight, runningVariance }] of layers.entries()) {
    if (!runningVariance) continue;
    const [gamma, variance] = [membership(weight)!, membership(runningVariance)!];
    let group = groups.find(({ weights, variances }) => weights === gamma.arena && variances === variance.arena);
    if (!group) {
      group = { weights: gamma.arena, variances: variance.arena, channels: [] };
      groups.push(group);
    }
    for (let c = 0; c < weight.size; c++) {
      group.channels.push({ layer, weight: gamma.offset + c, variance: variance.offset + c, radius: radii[layer]! });
    }
  }
  return groups;
}
