const TRANSIENT: ReadonlySet<number> = new Set([408, 425, 429]);
const PERMANENT: ReadonlySet<number> = new Set([501, 505]);

/**
 * Whether a server that answers with this HTTP status may answer otherwise later: 408, 425, 429 and 5xx but for 501 and 505. The engine
 * tries no other status again by itself.
 */
export function isTransientStatus(status: number): boolean {
  return TRANSIENT.has(status) || (status >= 500 && status <= 599 && !PERMANENT.has(status));
}
