/** Transitions in one array take 4 bytes each. */
const MAX_TRANSITIONS = 2 ** 26;

/**
 * Aho-Corasick over bytes: one step for each byte of the text, whatever the number of patterns. A transition for every state and
 * every byte that the patterns have, so that no step follows a failure link.
 *
 * @param {readonly string[]} texts
 * @param {Uint8Array} placeholder
 * @returns {((bytes: Uint8Array) => Uint8Array) | null} Null where the transitions would take more than 256 MB.
 */
export function createAhoCorasick(texts, placeholder) {
  const patterns = texts.map((text) => Buffer.from(text));
  const classes = new Uint8Array(256);
  let classCount = 1;
  let maxStates = 1;
  for (const pattern of patterns) {
    maxStates += pattern.length;
    for (const byte of pattern) if (classes[byte] === 0) classes[byte] = classCount++;
  }
  if (maxStates * classCount > MAX_TRANSITIONS) return null;
  const next = new Int32Array(maxStates * classCount);
  /** The length of the longest pattern that ends in a state. */
  const lengths = new Int32Array(maxStates);
  let states = 1;
  for (const pattern of patterns) {
    let state = 0;
    for (const byte of pattern) {
      const at = state * classCount + (classes[byte] ?? 0);
      if (next[at] === 0) next[at] = states++;
      state = next[at] ?? 0;
    }
    lengths[state] = pattern.length;
  }
  link(next, lengths, states, classCount);

  return (bytes) => {
    /** @type {number[]} Starts and ends by turns. */
    const spans = [];
    let state = 0;
    for (let index = 0; index < bytes.length; index++) {
      state = next[state * classCount + (classes[bytes[index] ?? 0] ?? 0)] ?? 0;
      const length = lengths[state] ?? 0;
      if (length === 0) continue;
      let start = index + 1 - length;
      while ((spans.at(-1) ?? -1) >= start) {
        spans.pop();
        start = Math.min(start, spans.pop() ?? start);
      }
      spans.push(start, index + 1);
    }
    return replace(bytes, spans, placeholder);
  };
}

/** @param {Int32Array} next @param {Int32Array} lengths @param {number} states @param {number} classCount */
function link(next, lengths, states, classCount) {
  const failures = new Int32Array(states);
  const queue = new Int32Array(states);
  let end = 0;
  for (let kind = 0; kind < classCount; kind++) {
    const child = next[kind] ?? 0;
    if (child !== 0) queue[end++] = child;
  }
  for (let index = 0; index < end; index++) {
    const state = queue[index] ?? 0;
    const failure = failures[state] ?? 0;
    lengths[state] = Math.max(lengths[state] ?? 0, lengths[failure] ?? 0);
    for (let kind = 0; kind < classCount; kind++) {
      const at = state * classCount + kind;
      const instead = next[failure * classCount + kind] ?? 0;
      const child = next[at] ?? 0;
      if (child === 0) next[at] = instead;
      else {
        failures[child] = instead;
        queue[end++] = child;
      }
    }
  }
}

/** @param {Uint8Array} bytes @param {readonly number[]} spans @param {Uint8Array} placeholder */
function replace(bytes, spans, placeholder) {
  if (spans.length === 0) return bytes;
  const parts = [];
  let at = 0;
  for (let index = 0; index < spans.length; index += 2) {
    parts.push(bytes.subarray(at, spans[index]), placeholder);
    at = spans[index + 1] ?? 0;
  }
  parts.push(bytes.subarray(at));
  return Buffer.concat(parts);
}
