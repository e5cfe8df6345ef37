import {
  listen,
  recvFrame,
  sendFrame,
  serve,
  type ServeOptions,
  type Server,
} from "../../../mod.ts";
import { framed, lengthPrefixed } from "../../../mod.ts";
import { failureOf } from "./failure.ts";

/** Makes the commands for a server, which sends each frame back. */
export function servingCommands() {
  let server: Server;
  const errors: unknown[] = [];
  const status = () => {
    const { active, accepted, refused } = server;
    return { active, accepted, refused, errors: errors.map(failureOf) };
  };
  return {
    async serve({ host, port = 0, ...options }: { host: string; port?: number } & ServeOptions) {
      server = serve(await listen({ host, port }), async (connection) => {
        const frames = framed(connection, lengthPrefixed({ bytes: 4 }));
        for (;;) {
          const frame = await recvFrame(frames);
          if (frame === null) return;
          await sendFrame(frames, frame);
        }
      }, { ...options, onError: (error) => errors.push(error) });
      return server.address;
    },
    /** Waits until at most `active` connections are left, and returns the state of the server. */
    async served({ active }: { active: number }) {
      while (server.active > active) await new Promise((resolve) => setTimeout(resolve, 5));
      return status();
    },
    shutdown: ({ timeout }: { timeout: number }) => server.shutdown({ timeout }),
  };
}
