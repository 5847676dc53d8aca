// maxPool2d: y[i, j] = max over the window of x, indices[i, j] = its place h·inWidth + w in the plane
//
// x: (planes, inHeight, inWidth)   y, indices (i32): (planes, outHeight, outWidth)
// Window (i, j) covers h = i·strideHeight + kh·dilationHeight − paddingHeight, likewise w, where they lie in the plane.
// The first maximum in row order wins a tie.
//
// Work: one thread per output, 256 to a workgroup; beyond 65,535 workgroups the grid is folded into x and y.

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
@group(0) @binding(3) var<storage, read_write> indices: array<i32>;

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
  var best = 0.0;
  var bestPlace = -1;
  for (var kh = 0u; kh < params.kernelHeight; kh += 1u) {
    // Above the plane the difference wraps round to a number beyond inHeight.
    let h = i * params.strideHeight + kh * params.dilationHeight - params.paddingHeight;
    if (h >= params.inHeight) {
      continue;
    }
    for (var kw = 0u; kw < params.kernelWidth; kw += 1u) {
      let w = j * params.strideWidth + kw * params.dilationWidth - params.paddingWidth;
      if (w >= params.inWidth) {
        continue;
      }
      let place = h * params.inWidth + w;
      let value = x[start + place];
      if (bestPlace < 0 || value > best) {
        best = value;
        bestPlace = i32(place);
      }
    }
  }
  y[at] = best;
  indices[at] = bestPlace;
}
