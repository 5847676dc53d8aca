// softmaxCrossEntropyGrad: dLogits[r, j] = dLosses[r]·(softmax(z[r])ⱼ − tⱼ), tⱼ = (1 − ε)·[j = label] + ε/classes
//
// logits z, dLogits: (rows, classes)   labels (i32), dLosses: (rows)   ε = smoothing
// softmax(z)ⱼ = exp(zⱼ − max) / Σ exp(z − max). A label that is no class makes the row NaN.
//
// Work: one workgroup of 64 threads per row; each thread takes every 64th class, and fixed trees join maximum and sum.

struct Params {
  rows: u32,
  classes: u32,
  smoothing: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<i32>;
@group(0) @binding(3) var<storage, read> dLosses: array<f32>;
@group(0) @binding(4) var<storage, read_write> dLogits: array<f32>;

var<workgroup> partial: array<f32, 64>;
var<workgroup> eighths: array<f32, 8>;

// The sum of `value` over all threads, for all threads.
fn total(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  if (lane < 8u) {
    var sum = 0.0;
    for (var other = lane; other < 64u; other += 8u) {
      sum += partial[other];
    }
    eighths[lane] = sum;
  }
  workgroupBarrier();
  var sum = 0.0;
  for (var other = 0u; other < 8u; other += 1u) {
    sum += eighths[other];
  }
  return sum;
}

// The largest `value` of all threads, for all threads.
fn largest(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  if (lane < 8u) {
    var maximum = value;
    for (var other = lane; other < 64u; other += 8u) {
      maximum = max(maximum, partial[other]);
    }
    eighths[lane] = maximum;
  }
  workgroupBarrier();
  var maximum = eighths[0];
  for (var other = 1u; other < 8u; other += 1u) {
    maximum = max(maximum, eighths[other]);
  }
  return maximum;
}

// The largest logit of the row. Threads without a class of their own take the first again.
fn largestLogit(start: u32, lane: u32) -> f32 {
  var maximum = logits[start];
  for (var j = lane; j < params.classes; j += 64u) {
    maximum = max(maximum, logits[start + j]);
  }
  return largest(maximum, lane);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup.y * workgroups.x + workgroup.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.classes;
  let maximum = largestLogit(start, lane);
  var exponentials = 0.0;
  for (var j = lane; j < params.classes; j += 64u) {
    exponentials += exp(logits[start + j] - maximum);
  }
  let sum = total(exponentials, lane);
  let label = labels[row];
  let isClass = label >= 0 && label < i32(params.classes);
  for (var j = lane; j < params.classes; j += 64u) {
    let smoothed = params.smoothing / f32(params.classes);
    let wanted = smoothed + select(0.0, 1.0 - params.smoothing, i32(j) == label);
    let gradient = dLosses[row] * (exp(logits[start + j] - maximum) / sum - wanted);
    dLogits[start + j] = select(bitcast<f32>(0x7fc00000u | params.rows), gradient, isClass);
  }
}
