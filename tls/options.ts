import { checkHostAndPort } from "../core/address_check.ts";
import {
  checkLimit,
  checkOptions,
  describe,
  invalidInput,
  isArray,
  readArguments,
} from "../core/arguments.ts";
import { SocketError } from "../errors.ts";
import type { TlsCertificate, TlsClientOptions, TlsServerOptions } from "../types.ts";
import type { Certificate } from "./certificate.ts";
import { readPemCertificates, readPemKey } from "./pem.ts";

/** Time within which a handshake must be done, if no option says otherwise (ms). */
const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000;
/** Bytes of the name of a protocol (RFC 7301, 3.1). */
const LONGEST_PROTOCOL_BYTES = 255;

/** Authorities that a program trusts: as PEM for the runtime, and what they say. */
export interface Authorities {
  readonly pem: readonly string[];
  readonly certificates: readonly Certificate[];
}

/** A certificate of this side, with its key; the runtime has not looked at the key yet. */
export interface OwnCertificate extends Readonly<TlsCertificate> {
  /** The certificate in DER. */
  readonly der: Uint8Array;
}

/** Checked options of both sides. */
interface CommonSettings {
  readonly alpnProtocols: readonly string[] | undefined;
  readonly handshakeTimeout: number;
}

/** Checked options of a client. */
export interface ClientSettings extends CommonSettings {
  /** The host that the server's certificate must be for. */
  readonly host: string;
  readonly authorities: Authorities | undefined;
  readonly certificate: OwnCertificate | undefined;
}

/** Checked options of a server. */
export interface ServerSettings extends CommonSettings {
  readonly certificate: OwnCertificate;
  readonly clientAuthorities: Authorities | undefined;
  readonly certificateFor: TlsServerOptions["certificateFor"];
}

/** @param host The host that the certificate must be for if the options name none; empty if it is not known. */
export function readClientOptions(
  operation: string,
  options: TlsClientOptions | undefined,
  host: string,
): ClientSettings {
  return readArguments(operation, () => {
    const { serverName, caCerts, cert, key, ...common } = checkOptions(operation, options);
    if (serverName !== undefined) checkServerName(operation, serverName);
    const name = serverName ?? host;
    if (name === "") {
      const reason = "serverName is missing, and the connection has no address: name the host " +
        "that the server's certificate must be for";
      throw invalidInput(operation, reason);
    }
    return {
      host: name,
      authorities: readAuthorities(operation, "caCerts", caCerts),
      certificate: cert === undefined && key === undefined
        ? undefined
        : readOwnCertificate(operation, { cert, key }),
      ...readCommon(operation, common),
    };
  });
}

export function readServerOptions(
  operation: string,
  options: TlsServerOptions | undefined,
): ServerSettings {
  return readArguments(operation, () => {
    const { cert, key, clientCaCerts, certificateFor, ...common } = checkOptions(
      operation,
      options,
    ) as TlsServerOptions;
    if (certificateFor !== undefined && typeof certificateFor !== "function") {
      const reason = `certificateFor is ${describe(certificateFor)}, not a function`;
      throw invalidInput(operation, reason);
    }
    return {
      certificate: readOwnCertificate(operation, { cert, key }),
      clientAuthorities: readAuthorities(operation, "clientCaCerts", clientCaCerts),
      certificateFor,
      ...readCommon(operation, common),
    };
  });
}

/** Reads a certificate and its key, which may come from a caller's function. */
export function readOwnCertificate(
  operation: string,
  given: Partial<TlsCertificate> | undefined,
): OwnCertificate {
  const { cert, key } = checkOptions(operation, given);
  if (cert === undefined || key === undefined) {
    const [missing, other] = cert === undefined ? ["cert", "key"] : ["key", "cert"];
    throw invalidInput(
      operation,
      `${missing} is missing: a certificate needs both, ${missing} and ${other}`,
    );
  }
  const [{ der }] = readPemCertificates(operation, "cert", cert);
  return { cert, key: readPemKey(operation, "key", key), der };
}

function readAuthorities(
  operation: string,
  name: string,
  given: readonly string[] | undefined,
): Authorities | undefined {
  if (given === undefined) return undefined;
  if (!isArray(given)) {
    throw invalidInput(operation, `${name} is ${describe(given)}, not an array of PEM texts`);
  }
  // An empty list could mean that nobody is trusted, or everybody.
  if (given.length === 0) throw invalidInput(operation, `${name} is empty: leave it out`);
  const pem = [...given];
  const certificates = pem.flatMap((text, index) =>
    readPemCertificates(operation, `${name}[${index}]`, text)
  );
  return { pem, certificates };
}

function readCommon(
  operation: string,
  { alpnProtocols, handshakeTimeout }: Pick<TlsClientOptions, "alpnProtocols" | "handshakeTimeout">,
): CommonSettings {
  return {
    alpnProtocols: readProtocols(operation, alpnProtocols),
    handshakeTimeout: checkLimit(
      operation,
      "handshakeTimeout",
      handshakeTimeout,
      DEFAULT_HANDSHAKE_TIMEOUT_MS,
      { lowest: 1 },
    ),
  };
}

function readProtocols(
  operation: string,
  given: readonly string[] | undefined,
): readonly string[] | undefined {
  if (given === undefined) return undefined;
  if (!isArray(given)) {
    throw invalidInput(operation, `alpnProtocols is ${describe(given)}, not an array of strings`);
  }
  const protocols = [...given];
  for (const protocol of protocols) {
    // Other characters would become other bytes in one engine than in the other.
    const isName = typeof protocol === "string" && /^[\x21-\x7e]+$/.test(protocol) &&
      protocol.length <= LONGEST_PROTOCOL_BYTES;
    if (!isName) {
      const reason = `alpnProtocols has ${describe(protocol)}, a protocol is 1 to ` +
        `${LONGEST_PROTOCOL_BYTES} visible ASCII characters`;
      throw invalidInput(operation, reason);
    }
  }
  return protocols.length === 0 ? undefined : protocols;
}

function checkServerName(operation: string, serverName: unknown): void {
  try {
    checkHostAndPort(operation, serverName, 1, 1);
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    throw invalidInput(operation, error.reason.replace(/^host/, "serverName"));
  }
}
