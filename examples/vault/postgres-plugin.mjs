import { defineAction, definePlugin, z } from "@autokestra/plugin-sdk";
import pg from "pg";

/** A plugin with one action, which runs one statement. @param {{ host: string, port: number, database: string }} server */
export function createPostgresPlugin(server) {
  return definePlugin({
    name: "example/postgres",
    actions: {
      query: defineAction({
        input: z.object({ user: z.string(), password: z.string(), sql: z.string() }),
        async run({ user, password, sql }) {
          const client = new pg.Client({ ...server, user, password });
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
