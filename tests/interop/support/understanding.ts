import { concat } from "@std/bytes";
import { close, connect, recv, send, SocketError } from "../../../mod.ts";
import { ascii } from "../../support/proxy_bytes.ts";

/** Values that HAProxy read from a header. */
export interface Understanding {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** In hexadecimal; empty if there is none. */
  readonly authority: string;
  readonly uniqueId: string;
  /** True if the addresses are those of the connection itself. */
  readonly keptPeer: boolean;
}

/** Configures a frontend that answers an HTTP request with the values of the header before it. */
export function explainingFrontend(port: number): string {
  const fetches = [
    "src",
    "src_port",
    "dst",
    "dst_port",
    "fc_pp_authority,hex",
    "fc_pp_unique_id,hex",
  ];
  return `
frontend explaining
  mode http
  timeout client 10s
  timeout http-request 10s
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "values ${
    fetches.map((fetch) => `%[${fetch}]`).join("|")
  }."
`;
}

export const REQUEST = ascii("GET / HTTP/1.0\r\n\r\n");
const PATIENCE_MS = 10_000;

/** Sends a header to HAProxy; gives what it understood, or nothing if it drops the connection. */
export async function ask(port: number, header: Uint8Array): Promise<Understanding | undefined> {
  const connection = await connect({ host: "127.0.0.1", port }, { timeout: PATIENCE_MS });
  try {
    // HAProxy looks at a header once, so it must come as a whole.
    await send(connection, concat([new Uint8Array(header), REQUEST]), { timeout: PATIENCE_MS });
    let answer = "";
    for (;;) {
      const bytes = await recv(connection, { timeout: PATIENCE_MS });
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
  const values = /\r\n\r\nvalues (.*)\.$/s.exec(answer)?.[1].split("|");
  if (values === undefined) throw new Error(`HAProxy answered ${JSON.stringify(answer)}`);
  const [source, sourcePort, destination, destinationPort, authority, uniqueId] = values;
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
