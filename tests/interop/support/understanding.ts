import { concat } from "@std/bytes";
import { close, connect, recv, send, SocketError } from "../../../mod.ts";
import { ascii } from "../../support/proxy_bytes.ts";

/** What HAProxy understood of a header. */
export interface Understanding {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** In hexadecimal; empty where there is none. */
  readonly authority: string;
  readonly uniqueId: string;
  /** Whether the addresses are those of the connection itself. */
  readonly keptPeer: boolean;
}

/** A frontend that tells by HTTP what it understood of the header before the request. */
export function tellingFrontend(port: number): string {
  const told = ["src", "src_port", "dst", "dst_port", "fc_pp_authority,hex", "fc_pp_unique_id,hex"];
  return `
frontend telling
  mode http
  timeout client 10s
  timeout http-request 10s
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "told ${
    told.map((fetch) => `%[${fetch}]`).join("|")
  }."
`;
}

export const REQUEST = ascii("GET / HTTP/1.0\r\n\r\n");
const PATIENCE = 10_000;

/** What HAProxy understands of a header; nothing where it drops the connection. */
export async function ask(port: number, header: Uint8Array): Promise<Understanding | undefined> {
  const connection = await connect({ host: "127.0.0.1", port }, { timeout: PATIENCE });
  try {
    // HAProxy peeks at a header once: it must come as a whole.
    await send(connection, concat([new Uint8Array(header), REQUEST]), { timeout: PATIENCE });
    let answer = "";
    for (;;) {
      const bytes = await recv(connection, { timeout: PATIENCE });
      if (bytes === null) break;
      answer += Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    }
    return answer === "" ? undefined : understood(answer, { ...connection.localAddress, port });
  } catch (error) {
    const dropped = error instanceof SocketError &&
      (error.kind === "ConnectionReset" || error.kind === "BrokenPipe");
    if (dropped) return undefined;
    throw error;
  } finally {
    await close(connection, { linger: 0 });
  }
}

function understood(answer: string, own: { host: string; port: number }): Understanding {
  const told = /\r\n\r\ntold (.*)\.$/s.exec(answer)?.[1].split("|");
  if (told === undefined) throw new Error(`HAProxy answered ${JSON.stringify(answer)}`);
  const [source, sourcePort, destination, destinationPort, authority, uniqueId] = told;
  return {
    source,
    // It writes nothing for port 0.
    sourcePort: Number(sourcePort),
    destination,
    destinationPort: Number(destinationPort),
    authority: authority.toLowerCase(),
    uniqueId: uniqueId.toLowerCase(),
    keptPeer: destination === own.host && Number(destinationPort) === own.port,
  };
}
