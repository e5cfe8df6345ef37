import type { Address } from "../types.ts";

/**
 * What the proxy relays: `tcp`, `udp`, a Unix socket with a stream (`unix`) or datagrams (`unixpacket`),
 * or `unknown`, where the proxy itself cannot say or says that nothing is relayed.
 */
export type ProxyTransport = "tcp" | "udp" | "unix" | "unixpacket" | "unknown";

/** One type-length-value field of a version 2 header. */
export interface ProxyTlv {
  /** 0 to 255. 0xE0 to 0xEF are for applications, 0xF0 to 0xF7 for experiments. */
  readonly type: number;
  /** At most 65,532 bytes, in a buffer of their own. */
  readonly value: Uint8Array<ArrayBuffer>;
}

/** What a proxy that ends TLS says about the client's side of it. */
export interface ProxySsl {
  /** Whether the client connected over TLS. */
  readonly tls: boolean;
  /** Whether the client gave a certificate on this connection. */
  readonly certificateOnConnection: boolean;
  /** Whether the client gave a certificate at least once in the TLS session. */
  readonly certificateInSession: boolean;
  /**
   * 0 where the client's certificate was verified, else the proxy's error number. Proxies send 0 without
   * a certificate as well: it says something only beside `certificateInSession`.
   */
  readonly verify: number;
  /** The TLS version, such as `TLSv1.3`. */
  readonly version?: string;
  /** The common name in the client's certificate. */
  readonly commonName?: string;
  /** The cipher in use, such as `ECDHE-RSA-AES128-GCM-SHA256`. */
  readonly cipher?: string;
  /** The algorithm that signed the proxy's certificate, such as `RSA-SHA256`. */
  readonly signatureAlgorithm?: string;
  /** The algorithm of the key in the proxy's certificate, such as `RSA2048`. */
  readonly keyAlgorithm?: string;
  /** The key exchange group, such as `secp256r1`. */
  readonly group?: string;
  /** The algorithm with which the proxy signed the handshake, such as `rsa_pss_rsae_sha256`. */
  readonly signatureScheme?: string;
  /** The client's certificate in DER. */
  readonly clientCertificate?: Uint8Array<ArrayBuffer>;
  /** Fields of other types, in their order. */
  readonly tlvs: readonly ProxyTlv[];
}

/**
 * What a PROXY protocol header says about the connection that it stands before. Frozen.
 *
 * Where `source` and `destination` are missing (`LOCAL`, or transport `unknown`), the header says nothing
 * about the client: the peer of the connection itself counts. Everything in it is as true as the
 * sender is trusted.
 */
export interface ProxyHeader {
  /** 1 for the line of text, 2 for the binary form. */
  readonly version: 1 | 2;
  /** `PROXY` for a relayed connection, `LOCAL` for one of the proxy's own, such as a health check. */
  readonly command: "PROXY" | "LOCAL";
  /** What is relayed. */
  readonly transport: ProxyTransport;
  /** The client. IPv6 in its shortest form; port 0 where the proxy says so. */
  readonly source?: Address;
  /** Where the client connected to. */
  readonly destination?: Address;
  /** Whether the header has a CRC32C checksum, which then was right. */
  readonly crc32c: boolean;
  /** The protocol that was negotiated (ALPN), such as `h2`; one character for each byte. */
  readonly alpn?: string;
  /** The host name that the client asked for, from TLS the server name (SNI): at most 255 bytes. */
  readonly authority?: string;
  /** What the proxy calls the connection: at most 128 bytes, of any kind. */
  readonly uniqueId?: Uint8Array<ArrayBuffer>;
  /** What the proxy says about the client's TLS. */
  readonly ssl?: ProxySsl;
  /** The name of the network namespace. */
  readonly netns?: string;
  /** Fields of other types, in their order; padding (NOOP) is left out. */
  readonly tlvs: readonly ProxyTlv[];
}

/**
 * What a header is to say: {@linkcode ProxyHeader} with everything optional. `command` is `PROXY` where it
 * is left out, `transport` is `tcp` where there are addresses, and `ssl.verify` is 1, not verified.
 */
export type ProxyHeaderInit = Readonly<
  Partial<Omit<ProxyHeader, "version" | "ssl">> & { ssl?: Readonly<Partial<ProxySsl>> }
>;

/** How a header is written. */
export interface EncodeProxyHeaderOptions {
  /** 1 for the line of text, 2 for the binary form: what the receiver is set up to read. */
  version: 1 | 2;
}
