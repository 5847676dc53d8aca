/**
 * exp, log, tanh and sigmoid of four floats, by argument reduction and minimax polynomials (coefficients of the Cephes
 * library, S. L. Moshier); errors below 2 ulp. Only additions, multiplications and divisions in a fixed order: the same
 * bits everywhere.
 */

@inline
function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** a·b + c, rounded twice. */
@inline
function madd(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(f32x4.mul(a, b), c);
}

/** 2^n for integers n in −126 … 127. */
@inline
function powerOfTwo(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23);
}

/** eˣ = 2ⁿ·eʳ with n = round(x/ln 2) and |r| ≤ ln 2 / 2. */
export function exp4(x: v128): v128 {
  x = f32x4.max(f32x4.min(x, splat(89.0)), splat(-104.0));
  const n = f32x4.nearest(f32x4.mul(x, splat(1.44269504088896341)));
  let r = f32x4.sub(x, f32x4.mul(n, splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, splat(-2.12194440e-4)));
  let p = splat(1.9875691500e-4);
  p = madd(p, r, splat(1.3981999507e-3));
  p = madd(p, r, splat(8.3334519073e-3));
  p = madd(p, r, splat(4.1665795894e-2));
  p = madd(p, r, splat(1.6666665459e-1));
  p = madd(p, r, splat(5.0000001201e-1));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), splat(1.0));
  // In two factors, so that results near the largest and below the smallest normal number come out right.
  const k = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(k, 1);
  return f32x4.mul(f32x4.mul(p, powerOfTwo(half)), powerOfTwo(i32x4.sub(k, half)));
}

/** ln x = e·ln 2 + ln m with x = 2ᵉ·m and √½ ≤ m < √2. */
export function log4(x: v128): v128 {
  const smallest = splat(1.17549435e-38);
  const isSubnormal = f32x4.lt(x, smallest);
  const normal = v128.bitselect(f32x4.mul(x, splat(8388608.0)), x, isSubnormal);
  let e = i32x4.sub(i32x4.shr_s(normal, 23), i32x4.splat(126));
  e = i32x4.sub(e, v128.and(isSubnormal, i32x4.splat(23)));
  let m = v128.or(v128.and(normal, i32x4.splat(0x007fffff)), i32x4.splat(0x3f000000));
  const isLow = f32x4.lt(m, splat(0.707106781186547524));
  e = i32x4.add(e, isLow);
  m = f32x4.sub(f32x4.add(m, v128.and(m, isLow)), splat(1.0));
  const z = f32x4.mul(m, m);
  let p = splat(7.0376836292e-2);
  p = madd(p, m, splat(-1.1514610310e-1));
  p = madd(p, m, splat(1.1676998740e-1));
  p = madd(p, m, splat(-1.2420140846e-1));
  p = madd(p, m, splat(1.4249322787e-1));
  p = madd(p, m, splat(-1.6668057665e-1));
  p = madd(p, m, splat(2.0000714765e-1));
  p = madd(p, m, splat(-2.4999993993e-1));
  p = madd(p, m, splat(3.3333331174e-1));
  const exponent = f32x4.convert_i32x4_s(e);
  let y = f32x4.mul(f32x4.mul(p, m), z);
  y = madd(exponent, splat(-2.12194440e-4), y);
  y = f32x4.sub(y, f32x4.mul(z, splat(0.5)));
  let result = madd(exponent, splat(0.693359375), f32x4.add(m, y));
  result = v128.bitselect(splat(-Infinity as f32), result, f32x4.eq(x, splat(0.0)));
  result = v128.bitselect(x, result, f32x4.eq(x, splat(Infinity as f32)));
  return v128.bitselect(result, splat(NaN as f32), f32x4.ge(x, splat(0.0)));
}

/** 1/(1 + e⁻ˣ). */
export function sigmoid4(x: v128): v128 {
  return f32x4.div(splat(1.0), f32x4.add(splat(1.0), exp4(f32x4.neg(x))));
}

/** A polynomial near zero, 1 − 2/(e²ˣ + 1) elsewhere. */
export function tanh4(x: v128): v128 {
  const z = f32x4.mul(x, x);
  let p = splat(-5.70498872745e-3);
  p = madd(p, z, splat(2.06390887954e-2));
  p = madd(p, z, splat(-5.37397155531e-2));
  p = madd(p, z, splat(1.33314422036e-1));
  p = madd(p, z, splat(-3.33332819422e-1));
  const near = madd(f32x4.mul(p, z), x, x);
  const magnitude = f32x4.abs(x);
  const t = exp4(f32x4.add(magnitude, magnitude));
  const far = f32x4.sub(splat(1.0), f32x4.div(splat(2.0), f32x4.add(t, splat(1.0))));
  const sign = v128.and(x, splat(-0.0));
  return v128.bitselect(near, v128.or(far, sign), f32x4.lt(magnitude, splat(0.625)));
}

export function sin4(x: v128): v128 {
  let y = f32x4.splat(Mathf.sin(f32x4.extract_lane(x, 0)));
  y = f32x4.replace_lane(y, 1, Mathf.sin(f32x4.extract_lane(x, 1)));
  y = f32x4.replace_lane(y, 2, Mathf.sin(f32x4.extract_lane(x, 2)));
  return f32x4.replace_lane(y, 3, Mathf.sin(f32x4.extract_lane(x, 3)));
}

export function cos4(x: v128): v128 {
  let y = f32x4.splat(Mathf.cos(f32x4.extract_lane(x, 0)));
  y = f32x4.replace_lane(y, 1, Mathf.cos(f32x4.extract_lane(x, 1)));
  y = f32x4.replace_lane(y, 2, Mathf.cos(f32x4.extract_lane(x, 2)));
  return f32x4.replace_lane(y, 3, Mathf.cos(f32x4.extract_lane(x, 3)));
}

export function power4(x: v128, e: v128): v128 {
  let y = f32x4.splat(Mathf.pow(f32x4.extract_lane(x, 0), f32x4.extract_lane(e, 0)));
  y = f32x4.replace_lane(y, 1, Mathf.pow(f32x4.extract_lane(x, 1), f32x4.extract_lane(e, 1)));
  y = f32x4.replace_lane(y, 2, Mathf.pow(f32x4.extract_lane(x, 2), f32x4.extract_lane(e, 2)));
  return f32x4.replace_lane(y, 3, Mathf.pow(f32x4.extract_lane(x, 3), f32x4.extract_lane(e, 3)));
}

/** Σ of the four lanes, in pairs. */
@inline
export function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}
