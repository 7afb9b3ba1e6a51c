import { readdirSync, readFileSync } from "node:fs";
import { extname, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { addRoute } from "./http-rules.ts";

/** Of this package as it is built, also where its modules are read from `src`, or are in a bundle that has the page beside it. */
const FOLDER = new URL("../dist/page/", import.meta.url);

/** What a browser loads. Other files of the folder are not served. */
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * The page needs its own script, style and calls, and pictures of its style sheet. It makes no element of a text: trusted types see to that.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** A file of the page. */
export interface PageFile {
  /** Its path at the server: `/` or `/assets/index-CNHq2bhK.js`. */
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
  readonly compressed: Buffer;
}

/** Reads the page; empty where it is not built, as in a checkout before its first build. */
export function readPage(): readonly PageFile[] {
  const folder = fileURLToPath(FOLDER);
  return listFiles(folder).flatMap((name) => {
    const type = MEDIA_TYPES[extname(name)];
    if (type === undefined) return [];
    const body = readFileSync(`${folder}${name}`);
    const path = name === "index.html" ? "/" : `/${name.replaceAll(sep, "/")}`;
    return [{ path, type, body, compressed: gzipSync(body) }];
  });
}

function listFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
}

/** Adds the page at `/`. It holds nothing that needs a token. */
export function addPage(app: FastifyInstance, files: readonly PageFile[]): void {
  for (const { path, type, body, compressed } of files) {
    // The names of assets change with their content.
    const isFixed = path.startsWith("/assets/");
    addRoute(app, {
      method: "GET",
      url: path,
      schema: { hide: true },
      async onSend(_, reply, payload) {
        reply.header("content-security-policy", PAGE_POLICY);
        return payload;
      },
      async handler(request, reply) {
        const isCompressed = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
        reply.type(type).header("vary", "accept-encoding");
        if (isFixed) reply.header("cache-control", "public, max-age=31536000, immutable");
        if (isCompressed) reply.header("content-encoding", "gzip");
        return await reply.send(isCompressed ? compressed : body);
      },
    });
  }
}
