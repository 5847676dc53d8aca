// maxPool2dGrad: dx[place] = Σ dy[i, j] over the windows whose maximum is at place
//
// dy, indices (i32): (planes, outHeight, outWidth)   dx: (planes, inHeight, inWidth)
// A gather: each input looks through the windows that can cover it, in row order; no atomics, a fixed order of summation.
//
// Work: one thread per input, 256 to a workgroup; beyond 65,535 workgroups the grid is folded into x and y.

struct Params {
  planes: u32,
  inHeight: u32,
  inWidth: u32,
  outHeight: u32,
  outWidth: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideHeight: u32,
  strideWidth: u32,
  paddingHeight: u32,
  paddingWidth: u32,
  dilationHeight: u32,
  dilationWidth: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> indices: array<i32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

// The windows [x, y) along one axis that can cover an element at `padded` = place + padding: those i with
// i·stride ≤ padded ≤ i·stride + (size − 1)·dilation.
fn covering(padded: u32, size: u32, dilation: u32, stride: u32, windows: u32) -> vec2<u32> {
  let reach = (size - 1u) * dilation;
  let first = select(0u, (padded - reach + stride - 1u) / stride, padded > reach);
  return vec2<u32>(first, min(padded / stride + 1u, windows));
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = (workgroup.y * workgroups.x + workgroup.x) * 256u + lane;
  if (at >= params.planes * params.inHeight * params.inWidth) {
    return;
  }
  let w = at % params.inWidth;
  let h = (at / params.inWidth) % params.inHeight;
  let plane = at / (params.inWidth * params.inHeight);
  let rows = covering(h + params.paddingHeight, params.kernelHeight, params.dilationHeight, params.strideHeight, params.outHeight);
  let columns = covering(w + params.paddingWidth, params.kernelWidth, params.dilationWidth, params.strideWidth, params.outWidth);
  let place = i32(h * params.inWidth + w);
  var sum = 0.0;
  for (var i = rows.x; i < rows.y; i += 1u) {
    for (var j = columns.x; j < columns.y; j += 1u) {
      let window = (plane * params.outHeight + i) * params.outWidth + j;
      if (indices[window] == place) {
        sum += dy[window];
      }
    }
  }
  dx[at] = sum;
}
