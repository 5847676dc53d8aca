// avgPool2d: y[i, j] = Σ over the window of x / number of elements in the window
//
// x: (planes, inHeight, inWidth)   y: (planes, outHeight, outWidth)
// Window (i, j) covers h = i·strideHeight + kh − paddingHeight, likewise w (dilation is 1). With `countPadding` the number
// of elements includes the padding, which counts as zeros.
//
// Work: one thread per output, 256 to a workgroup; beyond 65,535 workgroups the grid is folded into x and y.

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
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

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
  if (at >= params.planes * params.outHeight * params.outWidth) {
    return;
  }
  let j = at % params.outWidth;
  let i = (at / params.outWidth) % params.outHeight;
  let plane = at / (params.outWidth * params.outHeight);
  let start = plane * params.inHeight * params.inWidth;
  var sum = 0.0;
  for (var kh = 0u; kh < params.kernelHeight; kh += 1u) {
    // Above the plane the difference wraps round to a number beyond inHeight.
    let h = i * params.strideHeight + kh * params.dilationHeight - params.paddingHeight;
    if (h >= params.inHeight) {
      continue;
    }
    for (var kw = 0u; kw < params.kernelWidth; kw += 1u) {
      let w = j * params.strideWidth + kw * params.dilationWidth - params.paddingWidth;
      if (w < params.inWidth) {
        sum += x[start + h * params.inWidth + w];
      }
    }
  }
  let height = extent(i, params.kernelHeight, params.strideHeight, params.inHeight, params.paddingHeight);
  let width = extent(j, params.kernelWidth, params.strideWidth, params.inWidth, params.paddingWidth);
  y[at] = sum / f32(height * width);
}
