import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
import pg from "pg";

/**
 * A plugin with one action, which runs one statement.
 *
 * @param {{ host: string, port: number, database: string }} server
 * @param {(login: pg.ClientConfig) => void} [onLogin]
 */
export function createPostgresPlugin(server, onLogin = () => undefined) {
  return definePlugin({
    name: "example/postgres",
    actions: {
      query: defineAction({
        input: z.object({ user: z.string(), password: z.string(), sql: z.string() }),
        async run({ user, password, sql }) {
          const login = { ...server, user, password };
          onLogin(login);
          const client = new pg.Client(login);
          await client.connect();
          try {
            const { rows } = await client.query(sql);
            return rows[0];
          } finally {
            await client.end();
          }
        },
      }),
    },
  });
}

/** Whether a user can still log in: `works`, or what PostgreSQL says. @param {pg.ClientConfig} login */
export async function tryLogin(login) {
  const client = new pg.Client(login);
  try {
    await client.connect();
    return "works";
  } catch (error) {
    return `refused (${error instanceof pg.DatabaseError ? error.code : String(error)})`;
  } finally {
    await client.end();
  }
}
