/** Parameters that many routes take. */
export const NODE = { type: 'string', maxLength: 64, optional: true, description: 'Only of this node.' } as const;
export const IDENTIFIER = { type: 'string', pattern: '^[0-9a-f]{1,64}$' } as const;
export const LIMIT = {
  ...({ type: 'integer', minimum: 1, maximum: 1_000, default: 200 } as const),
  description: 'At most so many.',
} as const;
export const PAGE = { type: 'integer', minimum: 1, maximum: 100_000, default: 1, description: 'From 1.' } as const;
export const RULES = { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the rules.' } as const;
/** Of everything that changes something. */
export const REASON = {
  ...({ type: 'string', minLength: 1, maxLength: 2_000, pattern: String.raw`\S` } as const),
  description: 'Why. Recorded, with the name of the token.',
} as const;
