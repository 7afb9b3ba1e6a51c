/** @typedef {() => number} Random From 0 to 1. */

/** Mulberry32: the same figures for the same seed. @param {number} seed @returns {Random} */
export function createRandom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const WORDS =
  "request accepted worker started connection closed retry scheduled user session expired cache miss upload finished order created payment pending timeout while reading from upstream queue drained index rebuilt".split(
    " ",
  );
const FILES = ["server", "router", "session-store", "pool", "retry", "http-client", "billing", "upload"];
const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** @param {Random} random @param {readonly string[] | string} list */
export function pick(random, list) {
  return list[Math.floor(random() * list.length)] ?? "";
}

/** @param {Random} random @param {number} length @param {string} [alphabet] */
export function randomText(random, length, alphabet = ALPHANUMERIC) {
  return Array.from({ length }, () => pick(random, alphabet)).join("");
}

/**
 * A log of about this many bytes, in ASCII: JSON lines, HTTP traces, stack traces.
 *
 * @param {number} size
 * @param {Random} random
 */
export function createLog(size, random) {
  const makers = [jsonLine, jsonLine, httpTrace, stackTrace];
  const entries = [];
  for (let length = 0; length < size; ) {
    const entry = makers[Math.floor(random() * makers.length)]?.(random) ?? "";
    entries.push(entry);
    length += entry.length;
  }
  return entries.join("").slice(0, size);
}

/**
 * The same log with one of these texts in every 2 KB.
 *
 * @param {string} log
 * @param {readonly string[]} texts
 * @param {Random} random
 */
export function plant(log, texts, random) {
  const pieces = [];
  for (let start = 0; start < log.length; start += 2048) {
    const piece = log.slice(start, start + 2048);
    const at = Math.floor(random() * piece.length);
    pieces.push(piece.slice(0, at), pick(random, texts), piece.slice(at));
  }
  return pieces.join("").slice(0, log.length);
}

/** @param {Random} random @param {number} count */
function sentence(random, count) {
  return Array.from({ length: count }, () => pick(random, WORDS)).join(" ");
}

/** @param {Random} random */
function time(random) {
  return new Date(1.76e12 + Math.floor(random() * 1e10)).toISOString();
}

/** @param {Random} random @param {number} length */
function hex(random, length) {
  return randomText(random, length, "0123456789abcdef");
}

/** @param {Random} random */
function jsonLine(random) {
  return `${JSON.stringify({
    level: pick(random, ["info", "debug", "warn", "error"]),
    time: time(random),
    pid: Math.floor(random() * 65536),
    msg: sentence(random, 4 + Math.floor(random() * 8)),
    traceId: hex(random, 32),
    durationMs: Math.floor(random() * 1e5) / 100,
    user: { id: Math.floor(random() * 1e6), plan: pick(random, ["free", "team", "enterprise"]) },
  })}\n`;
}

/** @param {Random} random */
function httpTrace(random) {
  const path = `/api/v${1 + Math.floor(random() * 3)}/${pick(random, WORDS)}/${hex(random, 8)}`;
  return [
    `> ${pick(random, ["GET", "POST", "PUT"])} ${path}?page=${Math.floor(random() * 50)}&limit=100 HTTP/1.1`,
    `> host: ${pick(random, FILES)}.example:8443`,
    "> accept: application/json",
    `> x-request-id: ${hex(random, 8)}-${hex(random, 4)}-${hex(random, 4)}-${hex(random, 12)}`,
    `< HTTP/1.1 ${pick(random, ["200 OK", "201 Created", "404 Not Found", "503 Service Unavailable"])}`,
    `< content-length: ${Math.floor(random() * 1e5)}`,
    `< etag: "${randomText(random, 27)}"`,
    "",
    "",
  ].join("\n");
}

/** @param {Random} random */
function stackTrace(random) {
  const frames = Array.from({ length: 3 + Math.floor(random() * 6) }, () => {
    const file = pick(random, FILES);
    const place = `${1 + Math.floor(random() * 900)}:${1 + Math.floor(random() * 80)}`;
    return `    at ${pick(random, WORDS)} (/srv/app/node_modules/@acme/${file}/dist/${file}.js:${place})`;
  });
  return [`Error: ${sentence(random, 6)}`, ...frames, ""].join("\n");
}
