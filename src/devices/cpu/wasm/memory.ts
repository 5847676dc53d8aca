/** Bytes of the lowest memory that the compiler's own constants take. */
export function heapStart(): usize {
  return __heap_base;
}
