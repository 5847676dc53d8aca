// randomUniform: out[i] = ⌊threefry(key = (seed, stream), counter = (i, 0)) / 2⁸⌋·2⁻²⁴, uniform on [0, 1)
//
// out: (count)
// Threefry-2x32 with 20 rounds (Salmon et al. 2011): four rounds of add, rotate and xor, then a word of the key is added;
// the first of the two resulting words is used. Integers only until the end, so every device draws the same bits.
//
// Work: a workgroup of 256 threads takes 1024 elements, each thread four of them, 256 apart; beyond 65,535 workgroups the
// grid is folded into x and y.

struct Params {
  count: u32,
  seed: u32,
  stream: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

const PARITY = 0x1bd11bdau;

fn mix(words: vec2<u32>, rotation: u32) -> vec2<u32> {
  let sum = words.x + words.y;
  return vec2<u32>(sum, ((words.y << rotation) | (words.y >> (32u - rotation))) ^ sum);
}

fn threefry(key: vec2<u32>, counter: vec2<u32>) -> u32 {
  let keys = array<u32, 3>(key.x, key.y, PARITY ^ key.x ^ key.y);
  var words = counter + key;
  for (var injection = 1u; injection <= 5u; injection += 1u) {
    if (injection % 2u == 1u) {
      words = mix(mix(mix(mix(words, 13u), 15u), 26u), 6u);
    } else {
      words = mix(mix(mix(mix(words, 17u), 29u), 16u), 24u);
    }
    words += vec2<u32>(keys[injection % 3u], keys[(injection + 1u) % 3u] + injection);
  }
  return words.x;
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = (workgroup.y * workgroups.x + workgroup.x) * 1024u;
  let end = min(start + 1024u, params.count);
  for (var i = start + lane; i < end; i += 256u) {
    let word = threefry(vec2<u32>(params.seed, params.stream), vec2<u32>(i, 0u));
    out[i] = f32(word >> 8u) * 0x1p-24f;
  }
}
