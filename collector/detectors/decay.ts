/** Exponential forgetting. What happened before what is known already (disorder) counts as if it happened then. */
export function decayed(value: number, elapsedUs: number, halfLifeUs: number): number {
  return elapsedUs <= 0 ? value : value * 2 ** (-elapsedUs / halfLifeUs);
}
