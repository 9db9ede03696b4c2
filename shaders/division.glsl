// Division by a number that is the same for all invocations, without a division: those are slow
// everywhere, and drivers for processors do them lane by lane.
//
// With l = ceil(log2 divisor) and multiplier = floor(2^(31 + l) / divisor) + 1, which is below 2^32,
//   n / divisor = n * multiplier >> (31 + l)   for all n < 2^31
// (Granlund and Montgomery, "Division by Invariant Integers using Multiplication", theorem 4.2).
#ifndef LOCKSTEP_DIVISION_GLSL
#define LOCKSTEP_DIVISION_GLSL

// `multiplier`: division_multiplier() of backend/vulkan/dispatch_building.h.
uint divide(uint n, uint divisor, uint multiplier) {
  uint high;
  uint low;
  umulExtended(n, multiplier, high, low);
  uint quotient = high >> (uint(findMSB(divisor - 1u)) & 31u);
  return mix(quotient, n, divisor == 1u);
}

#endif
