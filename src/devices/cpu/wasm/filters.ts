/** The filters of a convolution as panels for the GEMM core, and the places of their taps in the packed image. */
import { TILE } from '../layout';
import { fillUp, packPanel, padded } from './panels';

/**
 * Filters of all groups and phases as panels (k, 8): term p = (channel, tap) of phase f is filter element
 * `channel·channelStride + taps[p]`. The tap's offset in the packed image goes to `offsets`.
 */
@unmanaged
class PackFiltersParams {
  w: usize;
  filters: usize;
  offsets: usize;
  groups: u32;
  /** Outputs of a group, and bytes from one to the next. */
  lanes: u32;
  laneStride: u32;
  groupStride: u32;
  channels: u32;
  channelStride: u32;
  /** Bytes from channel to channel of the packed image. */
  imageChannelBytes: u32;
  phases: u32;
  panels: u32;
}

/**
 * A phase's taps: how many, the first one's place in the tap list, the first term's place in `filters` and `offsets`.
 */
@unmanaged
class FilterPhase {
  taps: u32;
  firstTap: u32;
  firstTerm: u32;
}

/** Byte offset in the filter, byte offset in the packed image. */
@unmanaged
class Tap {
  filter: u32;
  image: u32;
}

/** What lies in the filters beside each other as it does in a panel's terms can be packed in one go. */
function isDense(taps: usize, count: u32, channelStride: u32): bool {
  for (let t: u32 = 0; t < count; t++) {
    if (changetype<Tap>(taps + t * offsetof<Tap>()).filter != t * 4) return false;
  }
  return channelStride == count * 4;
}

function packPhase(w: usize, out: usize, lanes: u32, p: PackFiltersParams, taps: usize, count: u32): void {
  fillUp(out, p.channels * count);
  if (isDense(taps, count, p.channelStride)) {
    packPanel(w, out, lanes, p.channels * count, p.laneStride, 4);
    return;
  }
  for (let c: u32 = 0; c < p.channels; c++) {
    for (let t: u32 = 0; t < count; t++, out += TILE * 4) {
      let from = w + c * p.channelStride + changetype<Tap>(taps + t * offsetof<Tap>()).filter;
      for (let lane: u32 = 0; lane < lanes; lane++, from += p.laneStride) store<f32>(out + lane * 4, load<f32>(from));
      for (let lane = lanes; lane < (TILE as u32); lane++) store<f32>(out + lane * 4, 0);
    }
  }
}

/** Terms that only fill up the sum read the last one's pixels, times zero. */
function writeOffsets(offsets: usize, p: PackFiltersParams, taps: usize, count: u32): void {
  const terms = p.channels * count;
  for (let term: u32 = 0; term < padded(terms); term++) {
    const last = min<u32>(term, terms - 1);
    const tap = changetype<Tap>(taps + (last % count) * offsetof<Tap>());
    store<u32>(offsets + term * 4, (last / count) * p.imageChannelBytes + tap.image);
  }
}

/** A task is one panel of one group; the first writes the offsets as well. */
export function packFilters(at: usize, task: u32): void {
  const p = changetype<PackFiltersParams>(at);
  const phases = at + offsetof<PackFiltersParams>();
  const allTaps = phases + p.phases * offsetof<FilterPhase>();
  const group = task / p.panels;
  const panel = task - group * p.panels;
  const lanes = min<u32>(TILE, p.lanes - panel * TILE);
  const w = p.w + group * p.groupStride + panel * TILE * p.laneStride;
  for (let f: u32 = 0; f < p.phases; f++) {
    const phase = changetype<FilterPhase>(phases + f * offsetof<FilterPhase>());
    if (phase.taps == 0) continue;
    const terms = padded(phase.taps * p.channels);
    const taps = allTaps + phase.firstTap * offsetof<Tap>();
    const out = p.filters + ((phase.firstTerm * p.groups + group * terms) * p.panels + panel * terms) * TILE * 4;
    packPhase(w, out, lanes, p, taps, phase.taps);
    if (task == 0) writeOffsets(p.offsets + phase.firstTerm * 4, p, taps, phase.taps);
  }
}
