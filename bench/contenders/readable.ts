/** The contender that reads through the runtime's own stream view, as most programs do. */
import { type Contender, HOST, type Peer, RECEIVED, SOURCE, type Work } from "./work.ts";

async function recv(peer: Peer): Promise<Work> {
  const conn = await Deno.connect({ hostname: HOST, port: peer.tcp });
  conn.setNoDelay(true);
  await conn.write(Uint8Array.of(SOURCE));
  const reader = conn.readable.getReader();
  return {
    async batch() {
      let missing = RECEIVED;
      while (missing > 0) missing -= (await reader.read()).value!.length;
      return RECEIVED - missing;
    },
    end: () => conn.close(),
  };
}

export const readable: Contender = { recv };
