/** Other exporters whose files we read, sorted; statements name them so. */
export const EXPORTERS = ['falco', 'laurel', 'tetragon', 'tracee'] as const;
export type Exporter = (typeof EXPORTERS)[number];
