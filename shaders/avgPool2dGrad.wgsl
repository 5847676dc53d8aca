// avgPool2dGrad: dx[place] = Σ dy[i, j] / number of elements in the window, over the windows that cover place
//
// dy: (planes, outHeight, outWidth)   dx: (planes, inHeight, inWidth)   (dilation is 1)
// A gather: each input looks through the windows that cover it, in row order; no atomics, a fixed order of summation.
//
// Work: one thread per input, 256 to a workgroup; beyond 65,535 workgroups the grid is folded into x and y.

override countPadding: bool = true;

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
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

// The windows [x, y) along one axis that can cover an element at `padded` = place + padding: those i with
// i·stride ≤ padded ≤ i·stride + (size − 1)·dilation.
fn covering(padded: u32, size: u32, dilation: u32, stride: u32, windows: u32) -> vec2<u32> {
  let reach = (size - 1u) * dilation;
  let first = select(0u, (padded - reach + stride - 1u) / stride, padded > reach);
  return vec2<u32>(first, min(padded / stride + 1u, windows));
}

// Elements of a window along one axis that count: those inside the padded plane, or only those inside the plane itself.
fn extent(window: u32, size: u32, stride: u32, length: u32, padding: u32) -> i32 {
  let begin = i32(window * stride) - i32(padding);
  let end = begin + i32(size);
  if (countPadding) {
    return min(end, i32(length + padding)) - begin;
  }
  return min(end, i32(length)) - max(begin, 0);
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
  var sum = 0.0;
  for (var i = rows.x; i < rows.y; i += 1u) {
    let height = extent(i, params.kernelHeight, params.strideHeight, params.inHeight, params.paddingHeight);
    for (var j = columns.x; j < columns.y; j += 1u) {
      let width = extent(j, params.kernelWidth, params.strideWidth, params.inWidth, params.paddingWidth);
      sum += dy[(plane * params.outHeight + i) * params.outWidth + j] / f32(height * width);
    }
  }
  dx[at] = sum;
}
