/** How many days records are kept. */
export const DEFAULT_KEEP_DAYS = 400;

/** What a configuration says about the audit log. */
export interface AuditSettings {
  /** Default: true. */
  readonly on?: boolean | undefined;
  /** Default: 400. */
  readonly keepDays?: number | undefined;
  /** Where records go besides the log. Default: nowhere. */
  readonly sink?: AuditSinkSettings | undefined;
}

/** A second place for records. Records that it does not accept are counted and reported, and stop nothing unless it is `required`. */
export type AuditSinkSettings = {
  /** Values are given out only once it has the record. Default: false. */
  readonly required?: boolean | undefined;
} & (
  | {
      /** `tcp://host:port` or `tls://host:port`: syslog (RFC 5424) with octet counting (RFC 6587, 3.4.1). */
      readonly syslog: string;
      /** Path of the certificates that are trusted, PEM. Default: those of Node.js. */
      readonly ca?: string | undefined;
    }
  | {
      /** A program with its arguments. It gets one JSON object a line on its standard input. */
      readonly command: readonly string[];
    }
);
