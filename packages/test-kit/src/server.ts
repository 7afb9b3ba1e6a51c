import { once } from "node:events";
import type { Server } from "node:net";

/** Lets a server listen on this machine only, on a free port. Returns the address: `http://127.0.0.1:41234`. */
export async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return `http://127.0.0.1:${address.port}`;
}
