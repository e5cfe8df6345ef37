import type { Transport } from "../types.ts";

/** Settings of a client session on the runtime's own TLS. */
export interface DenoTlsSettings {
  /** The host that the certificate must be for, which is also the name that the server is asked for. */
  readonly host: string;
  readonly authorities: readonly string[];
  readonly alpnProtocols: readonly string[] | undefined;
}

/** A session of the runtime's own TLS, whose handshake may still be under way. */
export interface DenoTlsSession {
  readonly transport: Transport;
  /** Resolves when the handshake is done and the server is trusted. */
  waitHandshake(): Promise<DenoTlsFacts>;
}

/** All that the runtime tells about a session. */
export interface DenoTlsFacts {
  readonly alpnProtocol: string | undefined;
  /** The peer's certificate in DER. */
  readonly certificate: Uint8Array<ArrayBuffer> | undefined;
}

/** Tells if the runtime's own TLS can take a transport over: only one that is a TCP connection of the runtime. */
export function isRuntimeTcp(transport: Transport): boolean {
  return transport.localAddr?.transport === "tcp" &&
    typeof (transport as { setNoDelay?: unknown }).setNoDelay === "function";
}

/** Begins a client session on a TCP connection of the runtime, on which no read or write is under way. */
export async function startDenoTls(
  transport: Transport,
  { host, authorities, alpnProtocols }: DenoTlsSettings,
): Promise<DenoTlsSession> {
  let conn: Deno.TlsConn;
  try {
    conn = await Deno.startTls(transport as Deno.TcpConn, {
      hostname: host,
      caCerts: [...authorities],
      ...alpnProtocols === undefined ? {} : { alpnProtocols: [...alpnProtocols] },
    });
  } catch (error) {
    transport.close();
    throw error;
  }
  return {
    transport: conn,
    async waitHandshake(): Promise<DenoTlsFacts> {
      const { alpnProtocol } = await conn.handshake();
      return { alpnProtocol: alpnProtocol ?? undefined, certificate: peerCertificate(conn) };
    },
  };
}

/** Asks for the peer's certificate, for which the runtime has a method without a public name. */
function peerCertificate(conn: Deno.TlsConn): Uint8Array<ArrayBuffer> | undefined {
  try {
    const symbols = Object.getOwnPropertySymbols(Object.getPrototypeOf(conn));
    const symbol = symbols.find(({ description }) => description === "getPeerCertificate");
    const methods = conn as unknown as Record<symbol, (detailed: boolean) => { raw?: unknown }>;
    const raw = symbol === undefined ? undefined : methods[symbol](false)?.raw;
    return raw instanceof Uint8Array ? new Uint8Array(raw) : undefined;
  } catch {
    return undefined; // Nothing depends on it.
  }
}
