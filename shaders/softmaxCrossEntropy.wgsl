// softmaxCrossEntropy: losses[r] = logsumexp(z[r]) − (1 − ε)·z[r, label] − ε·mean(z[r]), with ε = smoothing
//
// logits z: (rows, classes)   labels (i32), losses: (rows)
// logsumexp(z) = max + log Σ exp(z − max), which cannot overflow. A label that is no class makes the loss NaN.
//
// Work: one workgroup of 64 threads per row; each thread takes every 64th class, and fixed trees of two
// levels (64 → 8 → 1) join maximum and sums.

struct Params {
  rows: u32,
  classes: u32,
  smoothing: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<i32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;

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
  var logitSum = 0.0;
  for (var j = lane; j < params.classes; j += 64u) {
    exponentials += exp(logits[start + j] - maximum);
    logitSum += logits[start + j];
  }
  let normaliser = maximum + log(total(exponentials, lane));
  let mean = total(logitSum, lane) / f32(params.classes);
  if (lane == 0u) {
    let label = labels[row];
    if (label < 0 || label >= i32(params.classes)) {
      losses[row] = bitcast<f32>(0x7fc00000u | params.rows);
    } else {
      losses[row] = normaliser - (1.0 - params.smoothing) * logits[start + u32(label)] - params.smoothing * mean;
    }
  }
}
