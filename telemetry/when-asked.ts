/** Telemetry is loaded where the configuration says for whom, and its libraries nowhere else. */
import type { Metric } from './metrics.ts';
import type { Measured, Telemetry, Ways } from './telemetry.ts';

export async function telemetryWhenAsked<T extends Readonly<Record<string, Metric>>>(
  measured: Measured<T>,
  ways: Ways,
): Promise<Telemetry | undefined> {
  if (ways.listen === undefined && ways.otlp === undefined) return undefined;
  const { startTelemetry } = await import('./telemetry.ts');
  return startTelemetry(measured, ways);
}
